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
	for said, option := range map[string]pluginrunner.Option{
		"The token has characters":   pluginrunner.WithToken("secret\n"),
		"authorities cannot be read": pluginrunner.WithTLSFiles("nowhere.pem", "", ""),
		"There is no certificate in": pluginrunner.WithTLSFiles("connect_test.go", "", ""),
		"certificate cannot be read": pluginrunner.WithTLSFiles("", "nowhere.pem", "nowhere.key"),
		"The client cannot be made":  pluginrunner.WithAddress("\x00"),
	} {
		if _, err := pluginrunner.Connect(option); err == nil || !strings.Contains(err.Error(), said) {
			t.Errorf("%v does not say %q", err, said)
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
	if e := runnerErrorOf(t, err); e.Reason != "INTERNAL" || e.Message != "This client is closed." {
		t.Error(err)
	}
}
