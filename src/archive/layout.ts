import { storedSteps } from '../engines/pipeline/storedSteps.js';
import { manifestFolder } from '../storage/storage.js';

/** Names in the container. This is a stored format: later versions must find what earlier versions wrote. */

/** An object at the prefix. It records which installation owns the prefix. */
export const installationMarkerName = '.stowage.json';

/** An object in an attempt's folder, written last. A folder with it is a backup. */
export const backupDocumentName = 'backup.json';

/** The installation marker of a prefix. */
export function installationMarker(prefix: string): string {
  return `${folderOf(prefix)}${installationMarkerName}`;
}

export type Attempt = {
  /** The prefix of the file endpoint. It may be empty, with or without slashes around it. */
  readonly prefix: string;
  readonly serviceName: string;
  readonly serviceId: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly jobId: string;
  readonly attempt: number;
};

/** `<prefix>/<service name>-<short id>/<yyyy>/<mm>/<yyyymmddThhmmssZ>-<job short id>-a<attempt>/`, in UTC. */
export function attemptFolder(attempt: Attempt): string {
  const stamp = new Date(attempt.startedAt)
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replace(/[-:]/g, '');
  const service = `${safeName(attempt.serviceName)}-${shortId(attempt.serviceId)}`;
  const own = `${stamp}-${shortId(attempt.jobId)}-a${attempt.attempt}`;
  return `${folderOf(attempt.prefix)}${service}/${stamp.slice(0, 4)}/${stamp.slice(4, 6)}/${own}/`;
}

/**
 * Matches what `attemptFolder` appends to the prefix, without the last slash. Captures the short id of the job and the
 * number of the attempt.
 */
const ownFolder = String.raw`[^/]+-[0-9a-f]{8}/\d{4}/\d{2}/\d{8}T\d{6}Z-([0-9a-f]{8})-a(\d+)`;
const beginsWithFolder = new RegExp(`^${ownFolder}/(?=.)`);
const containsFolder = new RegExp(`(^|/)${ownFolder}(/|$)`);

/** The prefix that contains an attempt's folder: empty, or ending in `/`. */
export function prefixOfFolder(folder: string): string {
  // Matches service, year, month and the attempt itself, each followed by a slash.
  return folder
    .split('/')
    .slice(0, -5)
    .map((part) => `${part}/`)
    .join('');
}

/** The attempt's folder that contains an object, and the parts of its name. Undefined: no such folder contains it. */
export function folderOfObject(
  prefix: string,
  name: string,
): { readonly folder: string; readonly jobShortId: string; readonly attempt: number } | undefined {
  const base = folderOf(prefix);
  if (!name.startsWith(base)) return undefined;
  const found = beginsWithFolder.exec(name.slice(base.length));
  const [own, jobShortId, attempt] = found ?? [];
  if (own === undefined || jobShortId === undefined) return undefined;
  return { folder: base + own, jobShortId, attempt: Number(attempt) };
}

/** Whether a folder is the folder of an attempt at any prefix, or lies in one. */
export function liesInAttemptFolder(folder: string): boolean {
  return containsFolder.test(folder);
}

/** The smallest and the largest id of a job with that short id. */
export function jobIdsOf(shortId: string): readonly [string, string] {
  return [`${shortId}-0000-0000-0000-000000000000`, `${shortId}-ffff-ffff-ffff-ffffffffffff`];
}

/**
 * The object that a person downloads. If `steps` is absent, they are the steps of the first backups. Throws
 * TOOL_VERSION for a step that this version does not know.
 */
export function partObject(
  folder: string,
  part: { readonly name: string; readonly extension: string; readonly steps?: readonly string[] },
): string {
  const suffixes = storedSteps(part.steps ?? firstSteps).map(({ suffix }) => suffix);
  return `${folder}${escapedName(part.name)}.${part.extension}${suffixes.join('')}`;
}

/** The steps that every part passed before backup.json recorded the steps. */
export const firstSteps: readonly string[] = ['zstd'];

export function segmentFolder(folder: string, part: { readonly name: string }): string {
  return `${folder}segments/${escapedName(part.name)}/`;
}

/** Whether an object, whose name is given without its attempt's folder, is in the `manifestFolder` of a part. */
export function isManifestOfSegments(name: string): boolean {
  const [segments] = /^segments\/[^/]+\//.exec(name) ?? [];
  return segments !== undefined && name.startsWith(manifestFolder(segments));
}

/**
 * A part's name as a piece of an object's name. Small letters, digits, dash and underscore stay; every other byte of
 * UTF-8 becomes `~` and two hex digits. Two different names stay different, also if a storage ignores letter case.
 * Stored objects are found by this rule, so it never changes.
 */
function escapedName(name: string): string {
  if (name === '') throw new Error('A part has a name.');
  return Buffer.from(name, 'utf8')
    .toString('latin1')
    .replace(/[^a-z0-9_-]/g, (byte) => `~${byte.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

function folderOf(prefix: string): string {
  const parts = prefix.split('/').filter((part) => part !== '');
  return parts.map((part) => `${part}/`).join('');
}

/**
 * Keeps letters, digits, dot, dash and underscore, at most 40 of them, which are safe in a shell, a URL and on any file
 * system.
 */
function safeName(name: string): string {
  const plain = name
    .normalize('NFKD')
    .replace(/\p{Mark}/gu, '')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/-{2,}/g, '-')
    .slice(0, 40)
    .replace(/^[-.]+|[-.]+$/g, '');
  return plain === '' ? 'service' : plain;
}

function shortId(id: string): string {
  return id.replaceAll('-', '').slice(0, 8).toLowerCase();
}
