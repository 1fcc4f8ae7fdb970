package pluginrunner_test

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/plugin-runner/plugin-runner/clients/go/pluginrunner"
	pluginrunnerv1 "github.com/plugin-runner/plugin-runner/gen/go/pluginrunner/v1"
)

func TestConnectReadsTheEnvironment(t *testing.T) {
	var authorization []string
	server := &fakeServer{
		runPlugin: func(
			ctx context.Context, _ *pluginrunnerv1.RunPluginRequest,
		) (*pluginrunnerv1.RunPluginResponse, error) {
			authorization = metadata.ValueFromIncomingContext(ctx, "authorization")
			return &pluginrunnerv1.RunPluginResponse{}, nil
		},
	}
	t.Setenv("PLUGIN_RUNNER_ADDRESS", server.serve(t).Address())
	t.Setenv("PLUGIN_RUNNER_TOKEN", "secret")
	for _, one := range []struct {
		options  []pluginrunner.Option
		expected string
	}{
		{nil, "Bearer secret"},
		{[]pluginrunner.Option{pluginrunner.WithToken("given")}, "Bearer given"},
		{[]pluginrunner.Option{pluginrunner.WithToken("")}, ""},
	} {
		if _, err := connect(t, one.options...).RunPlugin(t.Context(), "any", "any", nil); err != nil {
			t.Fatal(err)
		}
		if sent := strings.Join(authorization, ", "); sent != one.expected {
			t.Errorf("the authorization is %q instead of %q", sent, one.expected)
		}
	}
}

func TestConnectFallsBackToLoopback(t *testing.T) {
	t.Setenv("PLUGIN_RUNNER_ADDRESS", "")
	if address := connect(t, pluginrunner.WithAddress("")).Address(); address != "127.0.0.1:50151" {
		t.Errorf("the address is %s", address)
	}
}

func TestConnectRefusesWhatCannotWork(t *testing.T) {
	for _, one := range []struct {
		option      pluginrunner.Option
		field, said string
	}{
		{pluginrunner.WithToken("secret\n"), "/token", "has characters"},
		{pluginrunner.WithTLSFiles("nowhere.pem", "", ""), "/tls/ca", "nowhere.pem"},
		{pluginrunner.WithTLSFiles("connect_test.go", "", ""), "/tls/ca", "There is no certificate in"},
		{pluginrunner.WithTLSFiles("", "nowhere.pem", "nowhere.key"), "/tls/cert", "nowhere.pem"},
		{pluginrunner.WithTLSFiles("", "", "nowhere.key"), "/tls/cert", "go together"},
		{pluginrunner.WithAddress("\x00"), "/address", "host:port"},
		{pluginrunner.WithAddress("https://there:1"), "/address", `is a URL: give "there:1", WithTLS(nil)`},
		{pluginrunner.WithAddress("http://there:1/"), "/address", `is a URL: give "there:1", without WithTLS`},
		{pluginrunner.WithAddress("there:http"), "/address", `the port "http"`},
		{pluginrunner.WithAddress("there:65536"), "/address", "the port"},
		{pluginrunner.WithAddress("there:1/path"), "/address", "host:port"},
	} {
		_, err := pluginrunner.Connect(one.option)
		e := runnerErrorOf(t, err)
		if e.Reason != pluginrunner.ReasonRequestInvalid || e.Violations[0].Field != one.field ||
			!strings.Contains(e.Message, one.said) || strings.Contains(e.Message, "secret") {
			t.Errorf("%v does not say %q of %s", err, one.said, one.field)
		}
	}
}

func TestAnAddressWithoutAPortHasTheDefaultOne(t *testing.T) {
	for address, expected := range map[string]string{
		"localhost": "localhost:50151",
		"::1":       "[::1]:50151",
		"[::1]":     "[::1]:50151",
		"[::1]:7":   "[::1]:7",
		"there:7":   "there:7",
		"unix:/x":   "unix:/x",
	} {
		if found := connect(t, pluginrunner.WithAddress(address)).Address(); found != expected {
			t.Errorf("%s is %s", address, found)
		}
	}
}

func TestCallsOfAClosedClientFail(t *testing.T) {
	client := connect(t)
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := client.RunPlugin(t.Context(), "any", "any", nil)
	checkClosed(t, err)
	for _, err := range client.WatchJob(t.Context(), "any") {
		checkClosed(t, err)
	}
}

func checkClosed(t *testing.T, err error) {
	t.Helper()
	if e := runnerErrorOf(t, err); e.Reason != "REQUEST_INVALID" || !strings.Contains(e.Message, "This client is closed") {
		t.Error(err)
	}
}
