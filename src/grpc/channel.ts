import type { DescMessage, DescMethodServerStreaming, DescMethodUnary, MessageShape } from "@bufbuild/protobuf";

/** How calls reach the service: what the client needs of a protocol. Calls fail with a RunnerError or their signal's reason. */
export interface Channel {
  /** Named in errors. */
  readonly address: string;
  /** `timeoutMs` is a deadline for the call; none when it is absent. */
  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageShape<I>,
    signal?: AbortSignal,
    timeoutMs?: number,
  ): Promise<MessageShape<O>>;
  /** Yields messages as they come; the call ends with the iteration. */
  stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageShape<I>,
    signal?: AbortSignal,
  ): AsyncGenerator<MessageShape<O>, void, undefined>;
  /**
   * Lets later calls go over another connection than those that began by `before`, in milliseconds of `performance.now()`:
   * it may be dead. Calls that are under way stay where they are. Absent where connections are not the client's.
   */
  renew?(before: number): void;
  /** Calls under way fail, and so do later ones. */
  close(): void;
}
