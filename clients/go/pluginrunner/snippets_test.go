package pluginrunner_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const documentation = "../../../docs/go-client.md"

// printed says what each block of the documentation prints, in order.
var printed = []string{
	`map\[columns:\[map\[distinct:\d+ missing:0 name:species `,
	`344 rows, 7 columns`,
	`read 100 of 100\nwrite 1 of 1\nmap\[file:file://.*\.csv groups:\d+ rows:\d+\]`,
	`export JOB_STATE_SUCCEEDED`,
	`digits 2\ntables 2`,
	`/params/dataset must be one of "aapl"`,
	`embedded \[local task job\]`,
}

// endless is the block that goes on until the context ends.
const endless = 3

func TestDocumentation(t *testing.T) {
	all := readTargets(t)
	examples := os.Getenv("PLUGIN_RUNNER_EXAMPLES")
	if examples == "" {
		t.Skip("PLUGIN_RUNNER_EXAMPLES is not set: it is the address of a service with the plugins of examples")
	}
	blocks := readBlocks(t)
	if len(blocks) != len(printed) {
		t.Fatalf("there are %d blocks, and %d are known", len(blocks), len(printed))
	}
	program := build(t, blocks, strings.NewReplacer(
		"runner.example.com:443", all.Secure.Address,
		"the token", all.Secure.Token,
		"ca.pem", all.Secure.CA,
	))
	for at, pattern := range printed {
		t.Run(fmt.Sprintf("block %d", at+1), func(t *testing.T) {
			command := exec.Command(program, fmt.Sprint(at))
			command.Env = append(os.Environ(), "PLUGIN_RUNNER_ADDRESS="+examples)
			output := run(t, command, at == endless)
			if !regexp.MustCompile(pattern).MatchString(output) {
				t.Errorf("%q is not in %q", pattern, output)
			}
		})
	}
}

// readBlocks returns the blocks of Go, which have to be formatted.
func readBlocks(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(documentation)
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, match := range regexp.MustCompile("(?s)```go\n(.*?)```").FindAllSubmatch(text, -1) {
		formatted, err := format.Source(match[1])
		if err != nil || !bytes.Equal(formatted, match[1]) {
			t.Errorf("gofmt makes another text (%v) of\n%s", err, match[1])
		}
		blocks = append(blocks, string(match[1]))
	}
	return blocks
}

// build makes one program of the blocks, which runs the one whose number it is given. Its source is an overlay: it is in
// this module, but not in its folders.
func build(t *testing.T, blocks []string, filled *strings.Replacer) string {
	t.Helper()
	folder := t.TempDir()
	source, overlay, program := filepath.Join(folder, "main.go"), filepath.Join(folder, "overlay.json"), filepath.Join(folder, "blocks")
	virtual, err := filepath.Abs("../documentation/main.go")
	if err != nil {
		t.Fatal(err)
	}
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{virtual: source}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{source: filled.Replace(sourceOf(blocks)), overlay: string(replace)} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.Command("go", "build", "-overlay", overlay, "-o", program, "../documentation")
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("the blocks do not compile: %v\n%s", err, output)
	}
	return program
}

// packages are those that a block may use.
var packages = map[string]string{
	"errors":         "errors",
	"time":           "time",
	"pluginrunnerv1": "github.com/plugin-runner/plugin-runner/gen/go/pluginrunner/v1",
}

func sourceOf(blocks []string) string {
	var source strings.Builder
	source.WriteString("package main\n\nimport (\n\"context\"\n\"fmt\"\n\"os\"\n\"os/signal\"\n")
	source.WriteString("\"github.com/plugin-runner/plugin-runner/clients/go/pluginrunner\"\n")
	for name, path := range packages {
		if strings.Contains(strings.Join(blocks, ""), name+".") {
			fmt.Fprintf(&source, "%s %q\n", name, path)
		}
	}
	source.WriteString(")\n\nvar blocks = map[string]func(context.Context, *pluginrunner.Client) error{\n")
	for at, block := range blocks {
		fmt.Fprintf(&source, "\"%d\": func(ctx context.Context, client *pluginrunner.Client) error {\n%s\nreturn nil\n},\n", at, block)
	}
	source.WriteString(`}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	client, err := pluginrunner.Connect()
	if err == nil {
		err = blocks[os.Args[1]](ctx, client)
	}
	if err != nil && err != context.Canceled {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
`)
	return source.String()
}

// run returns what a program prints. One that is endless is interrupted after its first line.
func run(t *testing.T, command *exec.Cmd, endless bool) string {
	t.Helper()
	command.Stderr = os.Stderr
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	var output strings.Builder
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		output.WriteString(lines.Text() + "\n")
		if endless {
			_ = command.Process.Signal(os.Interrupt)
		}
	}
	if err := command.Wait(); err != nil {
		t.Errorf("%v after %q", err, output.String())
	}
	return output.String()
}
