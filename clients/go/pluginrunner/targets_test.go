package pluginrunner_test

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/plugin-runner/plugin-runner/clients/go/pluginrunner"
)

// targets are the servers that the cases of every client run against: see test/clients/README.md.
type targets struct {
	Cases  string
	Values string
	Plain  string
	Secure struct{ Address, CA, Token string }
	Mutual struct{ Address, CA, Cert, Key string }
	// Reasons fails every run with the reason that the action names.
	Reasons string
	// Down takes no call.
	Down string
	// Proxy leads to Plain, until a connection to Cut cuts all connections through it.
	Proxy struct{ Address, Cut string }
	// Silent leads to Plain, until a connection to Silence lets all connections through it fall silent.
	Silent struct{ Address, Silence string }
	// Leaving ends and starts again after a connection to Leave, once a run has begun.
	Leaving struct{ Address, Leave string }
}

// readTargets skips the test where nobody has started them.
func readTargets(t *testing.T) *targets {
	t.Helper()
	name := os.Getenv("PLUGIN_RUNNER_TARGETS")
	if name == "" {
		t.Skip("PLUGIN_RUNNER_TARGETS is not set: node test/clients/with-targets.ts starts servers and sets it")
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var read targets
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	return &read
}

// options says how a target is reached by the name that a case gives it.
func (all *targets) options(t *testing.T, name string) []pluginrunner.Option {
	t.Helper()
	switch name {
	case "", "plain":
		return []pluginrunner.Option{pluginrunner.WithAddress(all.Plain)}
	case "secure":
		return []pluginrunner.Option{
			pluginrunner.WithAddress(all.Secure.Address),
			pluginrunner.WithToken(all.Secure.Token),
			pluginrunner.WithTLSFiles(all.Secure.CA, "", ""),
		}
	case "secure_without_token":
		return []pluginrunner.Option{
			pluginrunner.WithAddress(all.Secure.Address),
			pluginrunner.WithToken(""),
			pluginrunner.WithTLSFiles(all.Secure.CA, "", ""),
		}
	case "secure_without_ca":
		return []pluginrunner.Option{
			pluginrunner.WithAddress(all.Secure.Address),
			pluginrunner.WithToken(all.Secure.Token),
			pluginrunner.WithTLS(nil),
		}
	case "mutual":
		return []pluginrunner.Option{
			pluginrunner.WithAddress(all.Mutual.Address),
			pluginrunner.WithTLSFiles(all.Mutual.CA, all.Mutual.Cert, all.Mutual.Key),
		}
	case "reasons":
		return []pluginrunner.Option{pluginrunner.WithAddress(all.Reasons)}
	case "down":
		return []pluginrunner.Option{pluginrunner.WithAddress(all.Down)}
	case "silent":
		return []pluginrunner.Option{
			pluginrunner.WithAddress(all.Silent.Address),
			pluginrunner.WithHeartbeatTimeout(time.Second),
		}
	case "leaving":
		return []pluginrunner.Option{pluginrunner.WithAddress(all.Leaving.Address)}
	default:
		t.Fatalf("the case has a target that this suite does not know: %s", name)
		return nil
	}
}

// connect makes a client that is closed with the test.
func connect(t *testing.T, options ...pluginrunner.Option) *pluginrunner.Client {
	t.Helper()
	client, err := pluginrunner.Connect(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}
