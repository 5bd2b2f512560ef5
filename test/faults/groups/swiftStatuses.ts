import { backupFault } from '../backupTrial.js';
import type { Fault } from '../trial.js';

const statuses = [400, 401, 403, 404, 408, 409, 411, 412, 413, 422, 429, 498, 499, 500, 502, 503, 504, 507];
const passing = new Set([408, 429, 498, 499, 500, 502, 503, 504, 507]);

type Kind = {
  readonly name: string;
  readonly method: string;
  readonly path: RegExp;
  /** The meaning of the status for this request, if it differs from the usual one. */
  readonly means?: Readonly<Record<number, readonly string[]>>;
  /** One answer is enough, because such a refusal is not retried. */
  readonly first?: { readonly method: string; readonly path: RegExp; readonly status: number };
};

const object = /\/databases\.sql\.zst$/;
/** The kinds of requests of a backup, in their order. */
const kinds: readonly Kind[] = [
  {
    name: 'the login',
    method: 'GET',
    path: /^\/auth\//,
    means: {
      403: ['ENDPOINT_AUTH'],
      ...Object.fromEntries(
        [400, 404, 408, 409, 411, 412, 413, 422, 498, 499].map((s) => [
          s,
          ['ENDPOINT_NOT_FOUND', 'ENDPOINT_UNREACHABLE'],
        ]),
      ),
      507: ['ENDPOINT_UNREACHABLE'],
    },
  },
  { name: 'HEAD of the mark', method: 'HEAD', path: /\.stowage\.json$/, means: { 404: ['SUCCEEDED'] } },
  {
    name: 'GET of the mark',
    method: 'GET',
    path: /\.stowage\.json$/,
    means: { 404: ['SUCCEEDED'], 409: ['CHECKSUM'], 412: ['CHECKSUM'] },
  },
  {
    name: 'HEAD of the container',
    method: 'HEAD',
    path: /\/faults$/,
    first: { method: 'HEAD', path: /\.stowage\.json$/, status: 404 },
    means: { 404: ['SUCCEEDED'] },
  },
  {
    name: 'GET of the limits',
    method: 'GET',
    path: /\/info$/,
    means: Object.fromEntries([400, 401, 403, 404, 412].map((s) => [s, ['SUCCEEDED']])),
  },
  // 412: an object of that name exists already.
  {
    name: 'PUT of a segment',
    method: 'PUT',
    path: /\/segments\/databases\/00000003$/,
    means: { 412: ['CONFLICT'] },
  },
  { name: 'PUT of the manifest', method: 'PUT', path: /multipart-manifest=put/, means: { 412: ['CONFLICT'] } },
  { name: 'HEAD of the object', method: 'HEAD', path: object, means: { 404: ['CHECKSUM'] } },
  { name: 'GET of the manifest', method: 'GET', path: /multipart-manifest=get/, means: { 404: ['CHECKSUM'] } },
  { name: 'HEAD of a segment', method: 'HEAD', path: /\/segments\/databases\/00000002$/, means: { 404: ['CHECKSUM'] } },
  { name: 'PUT of backup.json', method: 'PUT', path: /\/backup\.json$/, means: { 412: ['CONFLICT'] } },
  {
    name: 'GET of backup.json',
    method: 'GET',
    path: /\/backup\.json$/,
    means: { 404: ['CHECKSUM', 'ENDPOINT_NOT_FOUND'], 409: ['CHECKSUM'], 412: ['CHECKSUM'], 416: ['CHECKSUM'] },
  },
];

/** Each status for each kind of request, once and permanently. */
export const swiftStatuses: readonly Fault[] = kinds.flatMap((kind) =>
  statuses.flatMap((status) =>
    (passing.has(status) || status === 401 ? ['once', 'always'] : ['always']).map((often) =>
      backupFault({
        group: 'Swift answers',
        name: `${status} ${often} to ${kind.name}`,
        expects: often === 'once' ? overcome(kind, status) : [...(kind.means?.[status] ?? usually(status))],
        arm: ({ storageLine }) => {
          const { method, path, first } = kind;
          if (first !== undefined) {
            // This answer is permanent, because the sweeps of the worker send the same request.
            storageLine.inject({ ...first, times: Infinity, fault: { kind: 'answer', status: first.status } });
          }
          const times = often === 'once' ? 1 : Infinity;
          const injected = storageLine.inject({ method, path, times, fault: { kind: 'answer', status } });
          return { reached: () => injected.hits > 0 };
        },
      }),
    ),
  ),
);

/** A login is not retried itself. The request that needs it logs in again if the answer was temporary. */
function overcome(kind: Kind, status: number): readonly string[] {
  if (kind.name !== 'the login') return ['SUCCEEDED'];
  return ['SUCCEEDED', ...(kind.means?.[status] ?? usually(status))];
}

function usually(status: number): readonly string[] {
  switch (status) {
    case 401:
      return ['ENDPOINT_AUTH'];
    case 403:
      return ['ENDPOINT_FORBIDDEN'];
    case 404:
      return ['ENDPOINT_NOT_FOUND'];
    case 413:
    case 507:
      return ['ENDPOINT_QUOTA'];
    case 422:
      return ['CHECKSUM'];
    default:
      return ['ENDPOINT_UNREACHABLE'];
  }
}
