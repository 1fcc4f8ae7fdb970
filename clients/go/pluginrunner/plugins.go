package pluginrunner

import (
	"context"
	"iter"

	pluginrunnerv1 "github.com/plugin-runner/plugin-runner/gen/go/pluginrunner/v1"
)

// ListPlugins yields the plugins under the plugin roots, sorted by code. An error is the last thing that it yields.
func (c *Client) ListPlugins(ctx context.Context) iter.Seq2[*pluginrunnerv1.Plugin, error] {
	return paged(func(token string) ([]*pluginrunnerv1.Plugin, string, error) {
		page, err := call(ctx, c, c.stub.ListPlugins, &pluginrunnerv1.ListPluginsRequest{PageToken: token})
		return page.GetPlugins(), page.GetNextPageToken(), err
	})
}

// GetPlugin returns one plugin, all its actions and their schemas.
func (c *Client) GetPlugin(ctx context.Context, plugin string) (*pluginrunnerv1.Plugin, error) {
	response, err := call(ctx, c, c.stub.GetPlugin, &pluginrunnerv1.GetPluginRequest{Plugin: plugin})
	return response.GetPlugin(), err
}

// ModesOf returns the modes that a server accepts.
func ModesOf(info *pluginrunnerv1.GetServerInfoResponse) []Mode {
	modes := make([]Mode, len(info.GetModes()))
	for at, mode := range info.GetModes() {
		modes[at] = Mode(mode)
	}
	return modes
}

// ServerInfo returns what this server is and what it offers.
func (c *Client) ServerInfo(ctx context.Context) (*pluginrunnerv1.GetServerInfoResponse, error) {
	return call(ctx, c, c.stub.GetServerInfo, &pluginrunnerv1.GetServerInfoRequest{})
}
