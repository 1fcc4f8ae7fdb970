package pluginrunner

import (
	"context"
	"strings"
)

// bearer is a token that goes with every call, on connections without TLS as well: the service decides what it takes.
type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

func (bearer) RequireTransportSecurity() bool {
	return false
}

// checkToken refuses what a header cannot carry, such as the line break at the end of a file, before a server does in
// words of its own.
func checkToken(token string) error {
	unprintable := func(r rune) bool { return r < ' ' || r > '~' }
	if strings.ContainsFunc(token, unprintable) {
		return misuse("/token", "The token has characters that a header cannot carry.", nil)
	}
	return nil
}
