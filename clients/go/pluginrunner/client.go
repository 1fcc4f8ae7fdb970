package pluginrunner

import (
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	pluginrunnerv1 "github.com/plugin-runner/plugin-runner/gen/go/pluginrunner/v1"
)

// Client is a connection to a service. Its methods may be called from several goroutines at once.
type Client struct {
	address   string
	transport transport
	warned    func(Warning)
	conn      *grpc.ClientConn
	stub      pluginrunnerv1.PluginRunnerClient
	closed    atomic.Bool
	// heard says that the service has answered: what then goes wrong is no mistake in the options.
	heard   atomic.Bool
	dial    func() (*grpc.ClientConn, error)
	further connections

	heartbeatTimeout time.Duration
	retryFor         time.Duration
}

// Connect makes a client of the service at PLUGIN_RUNNER_ADDRESS, else at 127.0.0.1:50151, with the token of
// PLUGIN_RUNNER_TOKEN, if there is one; options say otherwise. The connection itself is made by the first call, so an
// error here is a mistake in the options. Close ends it.
func Connect(options ...Option) (*Client, error) {
	s, err := settingsOf(options)
	if err != nil {
		return nil, err
	}
	dial := func() (*grpc.ClientConn, error) { return grpc.NewClient(s.address, s.dialOptions()...) }
	conn, err := dial()
	if err != nil {
		return nil, misuse("/address", "The client cannot be made: "+err.Error(), err)
	}
	return &Client{
		address:          s.address,
		transport:        transport{s.address, s.tls, s.hostPort},
		warned:           s.warned,
		conn:             conn,
		dial:             dial,
		stub:             pluginrunnerv1.NewPluginRunnerClient(conn),
		heartbeatTimeout: s.heartbeatTimeout,
		retryFor:         s.retryFor,
	}, nil
}

// Address returns the address that calls go to.
func (c *Client) Address() string {
	return c.address
}

// Close ends the connection; calls under way fail.
func (c *Client) Close() error {
	c.closed.Store(true)
	c.further.close()
	return c.conn.Close()
}
