/** Cuts a text to a number of UTF-8 bytes, between characters, and says how many bytes went. */
export function cutText(text: string, limit: number): string {
  if (text.length * 3 <= limit || Buffer.byteLength(text) <= limit) return text;
  const bytes = Buffer.from(text);
  const kept = new TextDecoder().decode(bytes.subarray(0, limit), { stream: true });
  return `${kept}… [+${bytes.length - Buffer.byteLength(kept)} bytes]`;
}
