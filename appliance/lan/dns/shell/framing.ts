/** Cuts a TCP stream into DNS messages (RFC 1035 4.2.2). Each octet is copied at most once, however it trickles in. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #buffered = 0;
  #wanted = 2;
  #inBody = false;

  /** The messages that `chunk` completes. */
  push(chunk: Buffer): Buffer[] {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    if (this.#buffered < this.#wanted) return [];
    let data = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    const messages: Buffer[] = [];
    while (data.length >= this.#wanted) {
      const head = data.subarray(0, this.#wanted);
      data = data.subarray(this.#wanted);
      if (this.#inBody) messages.push(head);
      this.#wanted = this.#inBody ? 2 : head.readUInt16BE(0);
      this.#inBody = !this.#inBody;
    }
    this.#chunks = data.length > 0 ? [data] : [];
    this.#buffered = data.length;
    return messages;
  }
}

/** In one piece, so that it goes out in one segment (RFC 7766 8). */
export function framed(message: Buffer): Buffer {
  const out = Buffer.allocUnsafe(2 + message.length);
  out.writeUInt16BE(message.length, 0);
  message.copy(out, 2);
  return out;
}
