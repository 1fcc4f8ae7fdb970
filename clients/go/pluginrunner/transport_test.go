package pluginrunner_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/plugin-runner/plugin-runner/clients/go/pluginrunner"
	pluginrunnerv1 "github.com/plugin-runner/plugin-runner/gen/go/pluginrunner/v1"
)

// certified is a certificate that is its own authority, with its files.
type certified struct {
	pair      tls.Certificate
	cert, key string
}

func certify(t *testing.T, host string, until time.Time) certified {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	folder := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(folder, name)
		must(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		return path
	}
	return certified{
		tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", keyDER),
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// serveTLS returns the address of a service behind TLS.
func serveTLS(t *testing.T, config *tls.Config) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(config)))
	pluginrunnerv1.RegisterPluginRunnerServer(server, &fakeServer{})
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return strings.Replace(listener.Addr().String(), "127.0.0.1", "localhost", 1)
}

func TestWhatIsWrongWithAConnectionIsSaidOnce(t *testing.T) {
	good := certify(t, "localhost", time.Now().Add(time.Hour))
	other := certify(t, "localhost", time.Now().Add(time.Hour))
	elsewhere := certify(t, "elsewhere.example.com", time.Now().Add(time.Hour))
	expired := certify(t, "localhost", time.Now().Add(-time.Hour))
	plain := (&fakeServer{}).serve(t).Address()
	secure := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{good.pair}})
	mutual := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{good.pair}, ClientAuth: tls.RequireAnyClientCert})
	withTLS := func(one certified) pluginrunner.Option { return pluginrunner.WithTLSFiles(one.cert, "", "") }
	for name, one := range map[string]struct {
		address string
		option  pluginrunner.Option
		said    string
	}{
		"plain text to TLS":    {secure, pluginrunner.WithRetryFor(time.Minute), "speaks TLS: connect WithTLS"},
		"plain text to mutual": {mutual, pluginrunner.WithRetryFor(time.Minute), "speaks TLS: connect WithTLS"},
		"TLS to plain text":    {plain, withTLS(good), "does not speak TLS"},
		"another authority":    {secure, withTLS(other), "signed by none of the given authorities"},
		"another host": {
			serveTLS(t, &tls.Config{Certificates: []tls.Certificate{elsewhere.pair}}), withTLS(elsewhere), "of another host",
		},
		"expired":        {serveTLS(t, &tls.Config{Certificates: []tls.Certificate{expired.pair}}), withTLS(expired), "expired"},
		"no certificate": {mutual, withTLS(good), "wants a certificate of the client"},
	} {
		t.Run(name, func(t *testing.T) {
			client := connect(t, pluginrunner.WithAddress(one.address), one.option)
			for _, call := range []func() error{
				func() error { _, err := client.GetJob(t.Context(), "any"); return err },
				func() error { return firstError(client.WatchJob(t.Context(), "any", neverAgain(t))) },
			} {
				err := call()
				e := runnerErrorOf(t, err)
				if e.Reason != pluginrunner.ReasonUnavailable || !strings.Contains(e.Message, one.said) {
					t.Errorf("%v does not say %q", err, one.said)
				}
			}
		})
	}
	_, err := pluginrunner.Connect(pluginrunner.WithTLSFiles(good.key, "", ""))
	if e := runnerErrorOf(t, err); e.Violations[0].Field != "/tls/ca" || !strings.Contains(e.Message, "private key") {
		t.Error(err)
	}
	_, err = pluginrunner.Connect(pluginrunner.WithTLSFiles("", good.cert, other.key))
	if e := runnerErrorOf(t, err); e.Violations[0].Field != "/tls/key" {
		t.Error(err)
	}
}

func neverAgain(t *testing.T) pluginrunner.WatchOption {
	return pluginrunner.OnRetry(func(cause error) { t.Errorf("%v is tried again", cause) })
}

func firstError(updates func(func(*pluginrunner.JobUpdate, error) bool)) error {
	for _, err := range updates {
		return err
	}
	return nil
}

func TestAStatusOfHTTPIsTheProxys(t *testing.T) {
	for number, expected := range map[int]struct {
		reason pluginrunner.Reason
		calls  int
	}{
		302: {pluginrunner.ReasonInternal, 1},
		400: {pluginrunner.ReasonInternal, 1},
		401: {pluginrunner.ReasonUnauthenticated, 1},
		403: {pluginrunner.ReasonForbidden, 1},
		404: {pluginrunner.ReasonForbidden, 1},
		413: {pluginrunner.ReasonRequestInvalid, 1},
		429: {pluginrunner.ReasonOverloaded, 1},
		431: {pluginrunner.ReasonRequestInvalid, 1},
		500: {pluginrunner.ReasonInternal, 1},
		502: {pluginrunner.ReasonUnavailable, 5},
		503: {pluginrunner.ReasonUnavailable, 5},
	} {
		t.Run(fmt.Sprint(number), func(t *testing.T) {
			calls := 0
			protocols := new(http.Protocols)
			protocols.SetUnencryptedHTTP2(true)
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			must(t, err)
			proxy := &http.Server{Protocols: protocols, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				calls++
				w.Header().Set("content-type", "text/html")
				w.WriteHeader(number)
				_, _ = w.Write([]byte("<h1>No.</h1>"))
			})}
			go func() { _ = proxy.Serve(listener) }()
			t.Cleanup(func() { _ = proxy.Close() })
			_, err = connect(t, pluginrunner.WithAddress(listener.Addr().String())).GetJob(t.Context(), "any")
			e := runnerErrorOf(t, err)
			said := fmt.Sprintf("(HTTP %d)", number)
			if e.Reason != expected.reason || calls != expected.calls || !strings.Contains(e.Message, said) {
				t.Errorf("%v after %d calls", err, calls)
			}
		})
	}
}

func TestAMessageThatIsTooLargeNamesTheSide(t *testing.T) {
	limit := status.Error(codes.ResourceExhausted, "Received message larger than max (5000000 vs 4194304)")
	_, err := failing(limit).serve(t).RunPlugin(t.Context(), "any", "any", nil)
	if e := runnerErrorOf(t, err); classOf(err) != "ValidationError" || !strings.Contains(e.Message, "--max-request-size") {
		t.Error(err)
	}
	large := &fakeServer{getJob: func(*pluginrunnerv1.GetJobRequest) (*pluginrunnerv1.GetJobResponse, error) {
		return &pluginrunnerv1.GetJobResponse{Job: &pluginrunnerv1.Job{Plugin: strings.Repeat("x", 17<<20)}}, nil
	}}
	_, err = large.serve(t).GetJob(t.Context(), "any")
	if e := runnerErrorOf(t, err); e.Reason != "INTERNAL" || !strings.Contains(e.Message, "larger than the 16777216 bytes") {
		t.Error(err)
	}
}

func TestTextsThatAreNotUTF8AreRefused(t *testing.T) {
	_, err := (&fakeServer{}).serve(t).GetJob(t.Context(), "\xff")
	if classOf(err) != "ValidationError" {
		t.Error(err)
	}
}

func TestAProxyOfTheEnvironmentDoesNotTakeLoopback(t *testing.T) {
	for _, name := range []string{"http_proxy", "https_proxy", "grpc_proxy", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, "http://127.0.0.1:9")
	}
	if _, err := (&fakeServer{runPlugin: echo}).serve(t).RunPlugin(t.Context(), "any", "any", nil); err != nil {
		t.Error(err)
	}
}

func TestADeletionWhoseAnswerWasLostHasSucceeded(t *testing.T) {
	missing := notFound(t)
	for _, one := range []struct {
		answers []error
		deleted bool
	}{
		{[]error{status.Error(codes.Unavailable, "cut"), missing}, true},
		{[]error{missing}, false},
	} {
		answers := one.answers
		server := &fakeServer{deleteJob: func(*pluginrunnerv1.DeleteJobRequest) (*pluginrunnerv1.DeleteJobResponse, error) {
			answer := answers[0]
			answers = answers[1:]
			return nil, answer
		}}
		if err := server.serve(t).DeleteJob(t.Context(), "any"); (err == nil) != one.deleted {
			t.Error(err)
		}
	}
}

func TestAnErrorShowsThePluginsStack(t *testing.T) {
	record := &pluginrunnerv1.Job{JobId: "j", State: pluginrunnerv1.JobState_JOB_STATE_FAILED, Error: &pluginrunnerv1.JobError{
		Reason: "ACTION_FAILED", Message: "It failed.", Stack: "Traceback:\n  line 3\n",
	}}
	server := &fakeServer{getJob: func(*pluginrunnerv1.GetJobRequest) (*pluginrunnerv1.GetJobResponse, error) {
		return &pluginrunnerv1.GetJobResponse{Job: record}, nil
	}}
	_, err := server.serve(t).Job("j").Result(t.Context())
	if said := err.Error(); said != "ACTION_FAILED: It failed.\nThe plugin's stack:\nTraceback:\n  line 3" {
		t.Errorf("%q", said)
	}
}

func TestWarningsAreTold(t *testing.T) {
	faults := []*pluginrunnerv1.FieldViolation{{Field: "/params/epoch", Description: "is not used"}}
	var told []pluginrunner.Warning
	server := &fakeServer{
		runPlugin: func(context.Context, *pluginrunnerv1.RunPluginRequest) (*pluginrunnerv1.RunPluginResponse, error) {
			return &pluginrunnerv1.RunPluginResponse{Warnings: faults}, nil
		},
		submitJob: func(
			_ *pluginrunnerv1.SubmitJobRequest, stream grpc.ServerStreamingServer[pluginrunnerv1.SubmitJobResponse],
		) error {
			return stream.Send(&pluginrunnerv1.SubmitJobResponse{Update: &pluginrunnerv1.SubmitJobResponse_Snapshot{
				Snapshot: &pluginrunnerv1.Job{JobId: "j", Warnings: faults},
			}})
		},
	}
	client := server.serve(t, pluginrunner.WithWarnings(func(one pluginrunner.Warning) { told = append(told, one) }))
	_, err := client.RunPlugin(t.Context(), "p", "a", nil)
	must(t, err)
	job, err := client.SubmitJob(t.Context(), "p", "a", nil)
	must(t, err)
	if len(told) != 2 || told[0].Plugin != "p" || told[1].Field != "/params/epoch" || len(job.Warnings()) != 1 {
		t.Error(told, job.Warnings())
	}
}

func TestAHostThatIsSilentIsGivenUpAtOnce(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	good := certify(t, "localhost", time.Now().Add(time.Hour))
	soon := pluginrunner.WithDialOptions(grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: 100 * time.Millisecond}))
	for name, options := range map[string][]pluginrunner.Option{
		"plain text": {soon}, "TLS": {soon, pluginrunner.WithTLSFiles(good.cert, "", "")},
	} {
		client := connect(t, append(options, pluginrunner.WithAddress(listener.Addr().String()))...)
		for _, call := range []func() error{
			func() error { _, err := client.GetJob(t.Context(), "any"); return err },
			func() error { return firstError(client.WatchJob(t.Context(), "any", neverAgain(t))) },
		} {
			err := call()
			if e := runnerErrorOf(t, err); e.Reason != "UNAVAILABLE" || !strings.Contains(e.Message, "It is silent") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestTheServiceWantsACertificate(t *testing.T) {
	all := readTargets(t)
	client := connect(t, pluginrunner.WithAddress(all.Mutual.Address), pluginrunner.WithTLSFiles(all.Mutual.CA, "", ""))
	_, err := client.ServerInfo(t.Context())
	if e := runnerErrorOf(t, err); !strings.Contains(e.Message, "wants a certificate of the client") {
		t.Error(err)
	}
}
