package pluginrunner

import (
	"crypto/tls"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

const (
	defaultAddress          = "127.0.0.1:50151"
	defaultHeartbeatTimeout = 30 * time.Second
	defaultRetryFor         = 10 * time.Minute

	maxMessageBytes = 16 << 20
)

// Option changes how Connect connects.
type Option func(*settings) error

// WithAddress names the service: host:port, host alone for port 50151, or another target of gRPC's. Empty: as without
// this option.
func WithAddress(address string) Option {
	return func(s *settings) error {
		if address != "" {
			s.address = address
		}
		return nil
	}
}

// WithToken sends a bearer token with every call. Empty: none, whatever PLUGIN_RUNNER_TOKEN says.
func WithToken(token string) Option {
	return func(s *settings) error {
		s.token = token
		return nil
	}
}

// WithTLS encrypts the connection. A nil config trusts the system's certificate authorities.
func WithTLS(config *tls.Config) Option {
	return func(s *settings) error {
		s.useTLS(config)
		return nil
	}
}

// WithTLSFiles encrypts the connection as PEM files say: ca has the certificate authorities to trust, cert and key are
// the client's own certificate. Empty names: the system's authorities, and no certificate.
func WithTLSFiles(ca, cert, key string) Option {
	return func(s *settings) error {
		config, err := tlsConfig(ca, cert, key)
		if err != nil {
			return err
		}
		s.useTLS(config)
		return nil
	}
}

// WithHeartbeatTimeout says when a watch that hears nothing is opened again. Default: 30 s, three heartbeats.
func WithHeartbeatTimeout(timeout time.Duration) Option {
	return func(s *settings) error {
		s.heartbeatTimeout = timeout
		return nil
	}
}

// WithRetryFor says how long a watch looks for a server that it has lost. Default: 10 minutes.
func WithRetryFor(duration time.Duration) Option {
	return func(s *settings) error {
		s.retryFor = duration
		return nil
	}
}

// WithDialOptions adds options of gRPC's, such as interceptors; they win over the client's own.
func WithDialOptions(options ...grpc.DialOption) Option {
	return func(s *settings) error {
		s.dial = append(s.dial, options...)
		return nil
	}
}

// settings are what the options come to.
type settings struct {
	address          string
	hostPort         string
	token            string
	tls              *tls.Config
	warned           func(Warning)
	transport        credentials.TransportCredentials
	heartbeatTimeout time.Duration
	retryFor         time.Duration
	dial             []grpc.DialOption
}

func settingsOf(options []Option) (*settings, error) {
	s := &settings{
		address:          defaultAddress,
		token:            os.Getenv("PLUGIN_RUNNER_TOKEN"),
		transport:        insecure.NewCredentials(),
		heartbeatTimeout: defaultHeartbeatTimeout,
		retryFor:         defaultRetryFor,
		warned:           logWarning,
	}
	if address := os.Getenv("PLUGIN_RUNNER_ADDRESS"); address != "" {
		s.address = address
	}
	for _, option := range options {
		if err := option(s); err != nil {
			return nil, err
		}
	}
	hostPort, err := hostPortOf(s.address)
	if err != nil {
		return nil, err
	}
	if s.hostPort = hostPort; hostPort != "" {
		s.address = hostPort
	}
	return s, checkToken(s.token)
}

func (s *settings) useTLS(config *tls.Config) {
	if config == nil {
		config = &tls.Config{}
	}
	s.tls = config
	s.transport = credentials.NewTLS(config)
}

func (s *settings) dialOptions() []grpc.DialOption {
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(s.transport),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessageBytes)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time:                20 * time.Second,
			Timeout:             20 * time.Second,
			PermitWithoutStream: true,
		}),
		// Retries are this client's own: it knows what is safe to repeat.
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		// The longest wait is less than the time for which calls are repeated, so that a server that has come back is found.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{
				BaseDelay:  100 * time.Millisecond,
				Multiplier: 1.6,
				Jitter:     0.2,
				MaxDelay:   500 * time.Millisecond,
			},
			MinConnectTimeout: connectTimeout,
		}),
	}
	if isLoopback(s.hostPort) {
		options = append(options, grpc.WithNoProxy())
	}
	if s.token != "" {
		options = append(options, grpc.WithPerRPCCredentials(bearer(s.token)))
	}
	return append(options, s.dial...)
}
