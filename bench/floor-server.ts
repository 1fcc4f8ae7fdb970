/** The floor of the calls: a bare grpc-js server that answers `RunPlugin` with its params, by the same messages. */
import { create } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from "@grpc/grpc-js";
import {
  PluginRunner,
  type RunPluginRequest,
  type RunPluginResponse,
  RunPluginResponseSchema,
} from "../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { serviceDefinition } from "../src/grpc/definition.ts";

const server = new Server();
server.addService(serviceDefinition(PluginRunner), { runPlugin: echo });
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(JSON.stringify({ address: `127.0.0.1:${port}` }));
});

function echo(call: ServerUnaryCall<RunPluginRequest, RunPluginResponse>, answer: sendUnaryData<RunPluginResponse>) {
  const result = create(ValueSchema, { kind: { case: "structValue", value: call.request.params ?? {} } });
  answer(null, create(RunPluginResponseSchema, { result }));
}
