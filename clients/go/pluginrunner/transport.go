package pluginrunner

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// connectTimeout is how long a host may take to answer a connection.
	connectTimeout = 20 * time.Second

	// probeTimeout is how long one that has failed is looked at.
	probeTimeout = 2 * time.Second
)

// transport knows what a status means that the service did not send: the connection, a proxy or gRPC itself did.
type transport struct {
	address string
	// tls is how the client speaks TLS; nil where it does not.
	tls *tls.Config
	// hostPort is where to look for what is wrong; empty where the address is another target of gRPC's.
	hostPort string
}

func (t transport) diagnosed(ctx context.Context, from *status.Status, cause error, heard bool) *RunnerError {
	e := &RunnerError{
		Reason:   transportReason(from.Code()),
		Code:     from.Code(),
		Metadata: map[string]string{"address": t.address, "status": code.Code(from.Code()).String()},
		cause:    cause,
	}
	text := from.Message()
	switch {
	case t.isOfProxy(e, text), t.isOfMessages(e, text), e.Reason == ReasonUnavailable && t.isOfConnection(ctx, e, text, heard):
	case e.Reason == ReasonUnavailable:
		e.Message = fmt.Sprintf("No answer from %s: %s", t.address, text)
	default:
		e.Message = fmt.Sprintf("The call failed at %s: %s", t.address, text)
	}
	if e.Reason == ReasonRequestInvalid {
		e.Violations = []Violation{{Field: "", Description: e.Message, Rule: "request"}}
	}
	return e
}

func transportReason(c codes.Code) Reason {
	switch c {
	case codes.Unavailable, codes.Canceled, codes.Unknown, codes.Internal:
		return ReasonUnavailable
	case codes.DeadlineExceeded:
		return ReasonDeadline
	case codes.Unauthenticated:
		return ReasonUnauthenticated
	case codes.PermissionDenied:
		return ReasonForbidden
	default:
		return ReasonInternal
	}
}

// httpStatus is how gRPC says that something answered with a status of HTTP.
var httpStatus = regexp.MustCompile(`(?i)\bHTTP status(?: code)?\D{0,40}(\d{3})\b`)

// silence is how gRPC says that it waited for the first words of a host in vain.
var silence = regexp.MustCompile(`deadline exceeded|i/o timeout|server preface: .*use of closed network connection`)

func (t transport) isOfProxy(e *RunnerError, text string) bool {
	match := httpStatus.FindStringSubmatch(text)
	if match == nil {
		return false
	}
	number, _ := strconv.Atoi(match[1])
	if number == 200 {
		return false
	}
	what := "refuses the call"
	e.final = certain
	switch number {
	case 413:
		e.Reason, what = ReasonRequestInvalid, "refuses a request of this size"
	case 431:
		e.Reason, what = ReasonRequestInvalid, "refuses headers of this size"
	case 401, 407:
		e.Reason, what = ReasonUnauthenticated, "wants credentials"
	case 403:
		e.Reason = ReasonForbidden
	case 404:
		e.Reason, what = ReasonForbidden, "does not know this service"
	case 429:
		e.Reason, what = ReasonOverloaded, "takes no more calls for now"
	case 502, 503, 504:
		e.Reason, what, e.final = ReasonUnavailable, "finds no service that answers", mayPass
		e.Code = codes.Unavailable
	default:
		e.Reason = ReasonInternal
	}
	e.Metadata["http_status"] = match[1]
	e.Message = fmt.Sprintf("A proxy at %s %s (HTTP %d).", t.address, what, number)
	return true
}

// isOfMessages knows what is too large, or what one of the two sides cannot read.
func (t transport) isOfMessages(e *RunnerError, text string) bool {
	switch {
	case strings.Contains(text, "grpc: received message larger than max"):
		e.Message = fmt.Sprintf("The answer of %s is larger than the %d bytes that this client takes.", t.address, maxMessageBytes)
	case e.Code == codes.ResourceExhausted && strings.Contains(text, "eceived message larger than max"):
		e.Reason = ReasonRequestInvalid
		e.Message = fmt.Sprintf("The request is larger than the server at %s takes (%s). Send a file's path instead, or "+
			"start the server with a larger --max-request-size.", t.address, text)
	case strings.Contains(text, "failed to unmarshal the received message"):
		e.Reason = ReasonInternal
		e.Message = fmt.Sprintf("The answer of %s cannot be read by this client: it is nested too deep or damaged (%s).",
			t.address, text)
	case strings.Contains(text, "error while marshaling"):
		e.Reason = ReasonRequestInvalid
		e.Message = fmt.Sprintf("The request cannot be sent: %s.", text)
	default:
		return false
	}
	e.final = certain
	return true
}

// isOfConnection finds out why there is no connection. It looks at a server that was never heard where gRPC's text does
// not tell.
func (t transport) isOfConnection(ctx context.Context, e *RunnerError, text string, heard bool) bool {
	refused := strings.Contains(text, "connection refused") || strings.Contains(text, "no such host")
	if refused || t.hostPort == "" {
		return false
	}
	said := t.ofHandshake(text)
	if said == "" && t.tls != nil && !heard {
		// A server that wants a certificate says so after the handshake, and gRPC may have met the closed connection first.
		said = t.ofHandshake(handshake(ctx, t.hostPort, t.tls))
	}
	if said != "" {
		e.Message, e.final = said, certain
		return true
	}
	if t.tls == nil && !heard && speaksTLS(ctx, t.hostPort) {
		e.Message = fmt.Sprintf("The server at %s speaks TLS: connect WithTLS or WithTLSFiles.", t.address)
		e.final = certain
		return true
	}
	if silence.MatchString(text) {
		e.Message = fmt.Sprintf("No answer from %s within %d s. It is silent: see that the address is the service's.",
			t.address, int(connectTimeout.Seconds()))
		e.final = unlessHeard
		return true
	}
	return false
}

// ofHandshake says what is wrong with TLS, or nothing.
func (t transport) ofHandshake(text string) string {
	switch {
	case strings.Contains(text, "does not look like a TLS handshake"):
		return fmt.Sprintf("The server at %s does not speak TLS: connect without WithTLS.", t.address)
	case strings.Contains(text, "signed by unknown authority"):
		return fmt.Sprintf("The certificate of %s is not trusted: it is signed by none of the given authorities; "+
			"give its authority by WithTLSFiles.", t.address)
	case strings.Contains(text, "certificate is valid for"), strings.Contains(text, "doesn't contain any IP SANs"),
		strings.Contains(text, "certificate is not valid for any names"):
		return fmt.Sprintf("The certificate of %s is not trusted: it is that of another host (%s).", t.address, x509Text(text))
	case strings.Contains(text, "certificate has expired or is not yet valid"):
		return fmt.Sprintf("The certificate of %s is not trusted: it has expired or is not yet valid.", t.address)
	case strings.Contains(text, "failed to verify certificate"):
		return fmt.Sprintf("The certificate of %s is not trusted: %s.", t.address, x509Text(text))
	case strings.Contains(text, "tls: certificate required"), strings.Contains(text, "tls: bad certificate"),
		strings.Contains(text, "tls: unknown certificate authority"):
		return fmt.Sprintf("The server at %s wants a certificate of the client that it trusts: "+
			"give cert and key by WithTLSFiles.", t.address)
	case strings.Contains(text, "authentication handshake failed: tls:"), strings.Contains(text, "remote error: tls:"):
		return fmt.Sprintf("No connection with TLS to %s: %s", t.address, text)
	default:
		return ""
	}
}

func x509Text(text string) string {
	if at := strings.Index(text, "x509: "); at >= 0 {
		return strings.TrimRight(text[at+len("x509: "):], `"`)
	}
	return text
}

// handshake returns what a server says to a connection with TLS, or nothing where it is content. A server that asks for a
// certificate, gets none and goes without a word, as Node's do, has said that it wants one.
func handshake(ctx context.Context, hostPort string, config *tls.Config) string {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	config = config.Clone()
	config.NextProtos = []string{"h2"}
	asked := false
	if len(config.Certificates) == 0 && config.GetClientCertificate == nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			asked = true
			return &tls.Certificate{}, nil
		}
	}
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", hostPort)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetReadDeadline(time.Now().Add(probeTimeout))
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		var late net.Error
		if asked && !(errors.As(err, &late) && late.Timeout()) {
			return "tls: certificate required"
		}
		return err.Error()
	}
	return ""
}

// speaksTLS looks whether a server answers the first message of TLS as one that speaks it.
func speaksTLS(ctx context.Context, hostPort string) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	// Nothing is sent over this connection, so whose certificate it is does not matter.
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}} //nolint:gosec
	conn, err := dialer.DialContext(ctx, "tcp", hostPort)
	if err == nil {
		_ = conn.Close()
		return true
	}
	var alert tls.AlertError
	var remote *net.OpError
	return errors.As(err, &alert) || errors.As(err, &remote) && remote.Op == "remote error"
}
