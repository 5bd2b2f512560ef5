import { StringDecoder } from 'node:string_decoder';
import { Secret } from '../../secret.js';
import type { OutputFilter } from './outputFilter.js';

const maxBytes = 4096;

/** Collects the output of a tool: the last 4 KiB of whole lines, without secrets and data. */
export type LastLines = {
  add(chunk: Uint8Array): void;
  /** Call it only once. Returns the last lines without trailing white space. */
  finish(): string;
};

/**
 * `line` contains no secrets and has at most 2 KiB. `unredacted` may contain short secrets. It is used only to
 * recognise the meaning of the line, and is never shown.
 */
export type OnLine = (line: string, unredacted: Secret) => void;

/** `onLine` gets every line that passes `filter`. */
export function collectLastLines(
  secrets: readonly Secret[],
  filter: OutputFilter,
  onLine: OnLine = () => undefined,
): LastLines {
  const values = secrets.map((secret) => secret.reveal()).filter((value) => value !== '');
  // A short secret may be part of any word of a message, and the words identify the message. So the filter gets the
  // line with short secrets, and no filter cuts a line in the middle of such a word. Longer secrets are removed first,
  // before the filter could cut them in two.
  const [short, others] = [values.filter(isShort), values.filter((value) => !isShort(value))];
  const decoder = new StringDecoder('utf8');
  const lines: string[] = [];
  let keptBytes = 0;
  let unfinished = '';

  function keepLine(raw: string): void {
    for (const line of filter.take(without(others, raw))) show(line);
  }

  function show(whole: string): void {
    const line = without(short, whole).slice(0, maxBytes / 2);
    onLine(line, new Secret(whole));
    lines.push(line);
    keptBytes += Buffer.byteLength(line) + 1;
    while (keptBytes > maxBytes + 1 && lines.length > 1) keptBytes -= Buffer.byteLength(lines.shift() ?? '') + 1;
  }

  function take(text: string): void {
    const parts = (unfinished + text).split('\n');
    // A line that never ends is cut, so that memory stays bounded.
    unfinished = (parts.pop() ?? '').slice(0, 16 * maxBytes);
    parts.forEach(keepLine);
  }

  return {
    add: (chunk) => take(decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))),
    finish: () => {
      take(decoder.end());
      if (unfinished !== '') keepLine(unfinished);
      unfinished = '';
      filter.end().forEach(show);
      return cutToBytes(lines.join('\n').trimEnd());
    },
  };
}

function isShort(secret: string): boolean {
  return /^(?:\w{1,7}|.{1,3})$/su.test(secret);
}

function without(secrets: readonly string[], text: string): string {
  return secrets.reduce((rest, secret) => rest.replaceAll(secret, '[secret]'), text);
}

/** A line of multi-byte characters may still be longer than the limit. Then only its end is kept. */
function cutToBytes(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return text;
  return bytes
    .subarray(bytes.length - maxBytes)
    .toString('utf8')
    .replace(/^\uFFFD+/, '');
}
