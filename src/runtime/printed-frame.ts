/**
 * What was printed, as one line among a job's records: the number of its stream, then the bytes. A newline travels as 0xff,
 * which no UTF-8 has; a 0xff becomes 0xfe, which is no UTF-8 either.
 */
const newline = 0x0a;
const standIn = 0xff;
const odd = 0xfe;

/** The descriptor of the stream that something was printed to. */
export type PrintedTo = 1 | 2;

const digit = { 1: 0x31, 2: 0x32 } as const;

export function printedFrame(stream: PrintedTo, bytes: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(bytes.length + 2);
  frame[0] = digit[stream];
  frame.set(bytes, 1);
  replace(frame, standIn, odd);
  replace(frame, newline, standIn);
  frame[frame.length - 1] = newline;
  return frame;
}

/** The stream of a line, if it is a frame. */
export function printedTo(line: Buffer): PrintedTo | undefined {
  return line[0] === digit[1] ? 1 : line[0] === digit[2] ? 2 : undefined;
}

/** What was printed, of a frame without its end, in place. */
export function printedBytes(line: Buffer): Buffer {
  const bytes = line.subarray(1);
  replace(bytes, standIn, newline);
  return bytes;
}

function replace(bytes: Buffer, from: number, to: number): void {
  const end = bytes.length;
  for (let at = bytes.indexOf(from); at >= 0 && at < end; at = bytes.indexOf(from, at + 1)) bytes[at] = to;
}
