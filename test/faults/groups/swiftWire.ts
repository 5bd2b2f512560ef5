import type { FaultRule } from '../../fixtures/servers/faultProxy.js';
import { backupFault, type Expected } from '../backupTrial.js';
import type { Fault } from '../trial.js';

const overcome: Expected = ['SUCCEEDED'];
const unreachable: Expected = ['ENDPOINT_UNREACHABLE', 'STALLED'];

type Request = Pick<FaultRule, 'method' | 'path'> & { readonly name: string };
const segment = (number: number): Request => ({
  name: `PUT of segment ${number}`,
  method: 'PUT',
  path: new RegExp(`/segments/databases/${String(number).padStart(8, '0')}$`),
});
const login: Request = { name: 'the login', method: 'GET', path: /^\/auth\// };
const manifest: Request = { name: 'PUT of the manifest', method: 'PUT', path: /multipart-manifest=put/ };
const writtenDocument: Request = { name: 'PUT of backup.json', method: 'PUT', path: /\/backup\.json$/ };
const readDocument: Request = { name: 'GET of backup.json', method: 'GET', path: /\/backup\.json$/ };
const object: Request = { name: 'HEAD of the object', method: 'HEAD', path: /\/databases\.sql\.zst$/ };
const lastSegment: Request = { name: 'HEAD of a segment', method: 'HEAD', path: /\/segments\/databases\/00000009$/ };
const readManifest: Request = { name: 'GET of the manifest', method: 'GET', path: /multipart-manifest=get/ };

const uploads = [segment(1), segment(5), segment(10), manifest, writtenDocument];
const questions = [login, object, readManifest, lastSegment, readDocument];

/** The faults are resets before, inside and after a body, silence, flipped bits, and false answers. */
export const swiftWire: readonly Fault[] = [
  ...uploads.flatMap((request) => [
    ...often('reset before the body of', request, { kind: 'cutRequest', afterBytes: 1 }, unreachable),
    ...often(
      'reset inside the body of',
      request,
      { kind: 'cutRequest', afterBytes: 150_000 },
      unreachable,
      isLarge(request),
    ),
    ...often('reset after the body, before the answer, of', request, { kind: 'loseAnswer' }, unreachable),
    ...often('silence after', request, { kind: 'stall' }, unreachable),
    ...often(
      'silence inside the body of',
      request,
      { kind: 'stallRequest', afterBytes: 100_000 },
      unreachable,
      isLarge(request),
    ),
    ...often('a flipped bit in', request, { kind: 'flipRequestByte', at: 100 }, flipped(request)),
  ]),
  ...questions.flatMap((request) => [
    ...often('the answer is lost to', request, { kind: 'loseAnswer' }, unreachable),
    ...often('silence after', request, { kind: 'stall' }, unreachable),
  ]),
  ...[readManifest, readDocument].flatMap((request) => [
    // A read resumes where it was cut, as long as some bytes arrive each time.
    ...often('the answer is cut to', request, { kind: 'cutAnswer', afterBytes: 200 }, [
      ...['SUCCEEDED' as const, ...unreachable, 'CHECKSUM' as const],
    ]),
    ...often('the answer stalls to', request, { kind: 'stallAnswer', afterBytes: 200 }, [...unreachable, 'CHECKSUM']),
    one('a flipped bit in the answer to', request, { kind: 'flipAnswerByte', at: 60 }, ['CHECKSUM']),
    one('an answer that is no JSON to', request, { kind: 'replaceAnswer', status: 200, body: '<html>' }, [
      'CHECKSUM',
      'ENDPOINT_UNREACHABLE',
    ]),
    one('an empty answer to', request, { kind: 'replaceAnswer', status: 200, body: '' }, [
      'CHECKSUM',
      'ENDPOINT_UNREACHABLE',
    ]),
  ]),
  ...[segment(1), segment(6), segment(10)].map((request) =>
    one('201 that stored nothing for', request, { kind: 'pretendStored' }, ['CHECKSUM', 'ENDPOINT_UNREACHABLE']),
  ),
  one('201 that stored nothing for', manifest, { kind: 'pretendStored' }, ['CHECKSUM']),
  one('201 that stored nothing for', writtenDocument, { kind: 'pretendStored' }, ['CHECKSUM', 'ENDPOINT_NOT_FOUND']),
  one('201 with another etag for', segment(3), { kind: 'answer', status: 201, headers: { etag: 'another' } }, [
    'CHECKSUM',
  ]),
  one('201 without an etag for', segment(3), { kind: 'answer', status: 201 }, ['CHECKSUM']),
  one('201 without an etag, and nothing stored, for', manifest, { kind: 'answer', status: 201 }, ['CHECKSUM']),
  one(
    '200 with an error inside to',
    manifest,
    { kind: 'answer', status: 200, body: sloErrors('400 Bad Request') },
    unreachable,
  ),
  one('201 with an error inside to', manifest, { kind: 'answer', status: 201, body: sloErrors('400 Bad Request') }, [
    'CHECKSUM',
  ]),
  one(
    '202 with an error inside to',
    manifest,
    { kind: 'answer', status: 202, body: sloErrors('503 Service Unavailable') },
    unreachable,
  ),
  ...[segment(1), segment(5), manifest, object, readManifest, lastSegment, writtenDocument, readDocument].map(
    (request) => one('the token dies before', request, { kind: 'endToken' }, overcome),
  ),
  ...[segment(1), segment(5), segment(9)].map((request) =>
    one(
      'the token dies, and the connection, inside the body of',
      request,
      { kind: 'cutRequest', afterBytes: 150_000, endsToken: true },
      overcome,
    ),
  ),
  ...often(
    'a 400 that says 503 of a segment to',
    manifest,
    { kind: 'answer', status: 400, body: 'Errors:\n/faults/x, 503 Service Unavailable\n' },
    unreachable,
  ),
];

function one(what: string, request: Request, fault: FaultRule['fault'], expects: Expected, times = 1): Fault {
  return backupFault({
    group: 'Swift connection',
    name: `${what} ${request.name}${times === 1 ? '' : ', each time'}`,
    expects,
    arm: ({ storageLine }) => {
      const injected = storageLine.inject({ method: request.method, path: request.path, times, fault });
      return { reached: () => injected.hits > 0 };
    },
  });
}

/** Each fault happens once, so that the job must succeed, and then every time. */
function often(
  what: string,
  request: Request,
  fault: FaultRule['fault'],
  expects: Expected,
  applies = true,
): readonly Fault[] {
  if (!applies) return [];
  const mayFail = request === login || (request === manifest && fault.kind === 'flipRequestByte');
  const first: Expected = mayFail ? [...overcome, ...expects] : overcome;
  return [one(what, request, fault, first), one(what, request, fault, expects, Infinity)];
}

function isLarge({ name }: Request): boolean {
  return name.startsWith('PUT of segment');
}

/** With a flipped bit in a manifest, Swift reports that it is malformed, or that its segments do not exist. */
function flipped(request: Request): Expected {
  return request === manifest ? ['CHECKSUM', 'ENDPOINT_UNREACHABLE'] : ['CHECKSUM'];
}

function sloErrors(status: string): string {
  return JSON.stringify({ 'Response Status': status, 'Response Body': '', Errors: [['/faults/x', '404 Not Found']] });
}
