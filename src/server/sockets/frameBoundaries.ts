/** The frame of a WebSocket that is being received (RFC 6455, section 5.2). */
export class FrameBoundaries {
  readonly #header: number[] = [];
  /** The bytes of the payload that have not arrived yet. */
  #missing = 0;
  #isFragmented = false;

  /** Whether no message and no frame is incomplete. */
  get isBetweenMessages(): boolean {
    return this.#missing === 0 && this.#header.length === 0 && !this.#isFragmented;
  }

  /** Reads the next chunk of the stream. */
  read(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      const skipped = Math.min(this.#missing, chunk.length - at);
      at += skipped;
      this.#missing -= skipped;
      if (at === chunk.length) return;
      this.#header.push(chunk[at] ?? 0);
      at += 1;
      this.#endHeader();
    }
  }

  /** Begins the payload if the header is complete. */
  #endHeader(): void {
    const [first = 0, second = 0, ...rest] = this.#header;
    const short = second & 0x7f;
    const lengthBytes = short === 127 ? 8 : short === 126 ? 2 : 0;
    const maskBytes = (second & 0x80) === 0 ? 0 : 4;
    if (this.#header.length < 2 + lengthBytes + maskBytes) return;
    this.#missing = rest.slice(0, lengthBytes).reduce((sum, byte) => sum * 256 + byte, lengthBytes === 0 ? short : 0);
    const isControl = (first & 0x08) !== 0;
    if (!isControl) this.#isFragmented = (first & 0x80) === 0;
    this.#header.length = 0;
  }
}
