/** A frame is a JSON text after its length in bytes (4 bytes, big endian). */
const headerBytes = 4;

export function encodeFrame(value: unknown): Buffer {
  const text = Buffer.from(JSON.stringify(value), 'utf8');
  const frame = Buffer.allocUnsafe(headerBytes + text.length);
  frame.writeUInt32BE(text.length, 0);
  text.copy(frame, headerBytes);
  return frame;
}

/**
 * Collects the chunks of a stream and calls `onFrame` with each whole value and the length of its text in bytes. The
 * returned function throws for a frame longer than `maxBytes`, and for a frame that is not JSON. The stream cannot be
 * used after that.
 */
export function readFrames(
  onFrame: (value: unknown, bytes: number) => void,
  maxBytes: number,
): (chunk: Buffer) => void {
  let chunks: Buffer[] = [];
  let collected = 0;
  /** The length of the frame that is being collected. Undefined: its header is not complete. */
  let length: number | undefined;

  const take = (bytes: number): Buffer => {
    const all = chunks.length === 1 ? (chunks[0] ?? Buffer.alloc(0)) : Buffer.concat(chunks);
    chunks = [all.subarray(bytes)];
    collected -= bytes;
    return all.subarray(0, bytes);
  };
  return (chunk) => {
    chunks.push(chunk);
    collected += chunk.length;
    while (collected >= (length ?? headerBytes)) {
      if (length === undefined) {
        length = take(headerBytes).readUInt32BE(0);
        if (length > maxBytes) throw new RangeError(`A frame of ${length} bytes is longer than ${maxBytes} bytes.`);
      } else {
        const text = take(length);
        length = undefined;
        onFrame(JSON.parse(text.toString('utf8')), text.length);
      }
    }
  };
}
