package pluginrunner

import (
	"context"

	"google.golang.org/grpc"
)

// method is a unary call of the generated stub.
type method[Request, Response any] func(context.Context, *Request, ...grpc.CallOption) (*Response, error)

// call makes a unary call, repeats it where that is safe, and gives its error a class.
func call[Request, Response any](
	ctx context.Context, c *Client, send method[Request, Response], request *Request,
) (*Response, error) {
	return retrying(ctx, func() (*Response, error) {
		response, err := send(ctx, request)
		if err != nil {
			return nil, c.failed(ctx, err)
		}
		c.heard.Store(true)
		return response, nil
	})
}
