import { StringDecoder } from 'node:string_decoder';
import type { Secret } from '../../secret.js';
import type { OutputFilter } from './outputFilter.js';

const maxBytes = 4096;

/** Collects what a tool prints, keeping the last 4 KiB of whole lines, cleared of secrets and of data. */
export type LastLines = {
  add(chunk: Uint8Array): void;
  /** Call it once. Returns the last lines without trailing white space. */
  finish(): string;
};

/** `onLine` gets every line that `filter` lets through, cleared of secrets and cut at 2 KiB. */
export function collectLastLines(
  secrets: readonly Secret[],
  filter: OutputFilter,
  onLine: (line: string) => void = () => undefined,
): LastLines {
  const values = secrets.map((secret) => secret.reveal()).filter((value) => value !== '');
  const decoder = new StringDecoder('utf8');
  const lines: string[] = [];
  let keptBytes = 0;
  let unfinished = '';

  function keep(raw: string): void {
    for (const shown of filter.take(withoutSecrets(raw))) show(shown);
  }

  function withoutSecrets(raw: string): string {
    return values.reduce((text, value) => text.replaceAll(value, '[secret]'), raw);
  }

  function show(whole: string): void {
    const line = whole.slice(0, maxBytes / 2);
    onLine(line);
    lines.push(line);
    keptBytes += Buffer.byteLength(line) + 1;
    while (keptBytes > maxBytes + 1 && lines.length > 1) keptBytes -= Buffer.byteLength(lines.shift() ?? '') + 1;
  }

  function take(text: string): void {
    const parts = (unfinished + text).split('\n');
    // A line that never ends is cut: memory stays bounded.
    unfinished = (parts.pop() ?? '').slice(0, 16 * maxBytes);
    parts.forEach(keep);
  }

  return {
    add: (chunk) => take(decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))),
    finish: () => {
      take(decoder.end());
      if (unfinished !== '') keep(unfinished);
      unfinished = '';
      filter.end().forEach(show);
      return cutToBytes(lines.join('\n').trimEnd());
    },
  };
}

/** A line of multi-byte characters may still be longer than the limit: its end is kept. */
function cutToBytes(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return text;
  return bytes
    .subarray(bytes.length - maxBytes)
    .toString('utf8')
    .replace(/^\uFFFD+/, '');
}
