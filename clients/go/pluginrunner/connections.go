package pluginrunner

import (
	"cmp"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"

	pluginrunnerv1 "github.com/plugin-runner/plugin-runner/gen/go/pluginrunner/v1"
)

// connections are those of watches alone, which end with the client at the latest.
type connections struct {
	mutex sync.Mutex
	open  map[*grpc.ClientConn]struct{}
}

func (c *connections) add(conn *grpc.ClientConn) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.open == nil {
		c.open = map[*grpc.ClientConn]struct{}{}
	}
	c.open[conn] = struct{}{}
}

func (c *connections) leave(conn *grpc.ClientConn) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	delete(c.open, conn)
	_ = conn.Close()
}

func (c *connections) close() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for conn := range c.open {
		_ = conn.Close()
	}
}

// watcher is one watch and its connection: that of the client, until it may be dead; then one for this watch alone.
type watcher struct {
	client  *Client
	onRetry func(error)
	stub    pluginrunnerv1.PluginRunnerClient
	// own is the connection for this watch alone, where it has one.
	own *grpc.ClientConn
}

func newWatcher(client *Client, onRetry func(error)) *watcher {
	return &watcher{client: client, onRetry: onRetry, stub: client.stub}
}

// renew takes another connection, unless the one there is is still being made: begun anew, it would never be there in
// time.
func (w *watcher) renew() error {
	if cmp.Or(w.own, w.client.conn).GetState() != connectivity.Ready {
		return nil
	}
	w.leave()
	conn, err := w.client.dial()
	if err != nil {
		return err
	}
	w.client.further.add(conn)
	w.own, w.stub = conn, pluginrunnerv1.NewPluginRunnerClient(conn)
	return nil
}

// leave closes a connection for this watch alone.
func (w *watcher) leave() {
	if w.own != nil {
		w.client.further.leave(w.own)
		w.own = nil
	}
}
