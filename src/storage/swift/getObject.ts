import { StowageError } from '../../errors.js';
import { bareEtag } from './etags.js';
import { drop, type HttpAnswer } from '../http/httpClient.js';
import { pause, pauseMs } from '../http/retry.js';
import type { SwiftConnection } from './swiftConnection.js';
import { mayPass } from '../http/transportErrors.js';

/**
 * The bytes of an object. Swift disconnects a reader that pauses for a minute. It also ends the answer early if a
 * segment is missing or damaged. Both cases look the same, so reading continues where the answer ended, as long as each
 * try returns new bytes.
 */
export async function* getObject(
  connection: SwiftConnection,
  name: string,
  options: { readonly signal: AbortSignal; readonly etag?: string; readonly start?: number },
): AsyncGenerator<Uint8Array, void, undefined> {
  const { signal } = options;
  let at = options.start ?? 0;
  let etag = options.etag;
  for (let failures = 0; ;) {
    const answer = await open(connection, name, { at, etag, signal });
    if (answer === 'at the end') return;
    etag ??= answer.etag;
    try {
      for await (const piece of answer.body) {
        at += piece.byteLength;
        failures = 0;
        yield piece;
      }
    } catch (error) {
      signal.throwIfAborted();
      if (!mayPass(error)) throw error;
    }
    if (at === answer.totalBytes) return;
    if (at > answer.totalBytes) throw changed(name, connection.place);
    failures += 1;
    if (failures >= connection.tuning.attempts) throw damaged(name, at, connection.place);
    await pause(pauseMs(connection.tuning, failures, 0, 0.5), signal);
  }
}

type Opened = { readonly body: AsyncIterable<Uint8Array>; readonly etag: string; readonly totalBytes: number };

async function open(
  connection: SwiftConnection,
  name: string,
  from: { readonly at: number; readonly etag: string | undefined; readonly signal: AbortSignal },
): Promise<Opened | 'at the end'> {
  const headers = {
    ...(from.at === 0 ? {} : { range: `bytes=${from.at}-` }),
    ...(from.etag === undefined ? {} : { 'if-match': `"${from.etag}"` }),
  };
  return connection.send(
    {
      method: 'GET',
      target: { object: name },
      headers,
      signal: from.signal,
      expected: [200, 206, 404, 409, 412, 416],
      doing: `read the object '${name}' of`,
    },
    async (answer) => {
      const etag = bareEtag(answer.header('etag'));
      if (answer.status === 200 || answer.status === 206) {
        const totalBytes = totalOf(answer, from.at);
        if (totalBytes !== undefined && (from.etag ?? etag) === etag) {
          return { body: answer.body as AsyncIterable<Uint8Array>, etag, totalBytes };
        }
        answer.body.destroy();
        throw changed(name, connection.place);
      }
      await drop(answer);
      if (answer.status === 416 && answer.header('content-range') === `bytes */${from.at}`) return 'at the end';
      if (answer.status === 404) throw missing(name, connection.place);
      if (answer.status === 409) throw damaged(name, from.at, connection.place);
      throw changed(name, connection.place);
    },
  );
}

/** The size of the whole object. Undefined: the answer does not begin at the requested byte. */
function totalOf(answer: HttpAnswer, at: number): number | undefined {
  if (answer.status === 200) return at === 0 ? Number(answer.header('content-length')) : undefined;
  const [, begin, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(answer.header('content-range')) ?? [];
  return begin === String(at) ? Number(total) : undefined;
}

export function missing(name: string, place: string): StowageError {
  return new StowageError('ENDPOINT_NOT_FOUND', `There is no object '${name}' in ${place}.`, {
    help: 'If it was deleted, restore from another backup.',
  });
}

function changed(name: string, place: string): StowageError {
  return new StowageError('CHECKSUM', `The object '${name}' in ${place} has changed since it was stored.`, {
    help: 'It was replaced. Restore from another backup.',
    retriable: false,
  });
}

function damaged(name: string, at: number, place: string): StowageError {
  return new StowageError('CHECKSUM', `The object '${name}' in ${place} always ends at byte ${at}, before its end.`, {
    help: 'A segment of it is missing or damaged. Restore from another backup.',
  });
}
