import { notYetAvailable } from '../errors.js';
import { allowedAddress, usableSecret } from '../server/connectionRules.js';
import { entityName, InputProblems, refuseNulls, text, type Rule } from '../server/inputValidation.js';
import type { AllowedTargets } from '../storage/allowedTargets.js';
import type {
  FileEndpointInput,
  FileEndpointPatch,
  SwiftCredentialsInput,
  SwiftInput,
  SwiftPatch,
} from './fileEndpointInput.js';
import { folderBelow, folderProblem } from './filesystemPath.js';

export type EndpointLimits = {
  readonly allowedTargets: AllowedTargets;
  /** Null: endpoints of kind FILESYSTEM are refused. */
  readonly filesystemRoot: string | null;
};

/**
 * Everything that can be said of a new endpoint or a change without asking the network. Throws NOT_YET_AVAILABLE for
 * what waits for its issue.
 */
export async function endpointProblems(
  input: FileEndpointInput | FileEndpointPatch,
  limits: EndpointLimits,
): Promise<InputProblems> {
  refuseWhatWaits(input);
  const problems = new InputProblems()
    .check('input.name', input.name, entityName)
    .check('input.prefix', input.prefix, prefixRule);
  const { swift, filesystem } = input.settings ?? {};
  if (swift) checkSwift(problems, swift, limits.allowedTargets);
  if (filesystem) await checkFilesystem(problems, filesystem.path, limits.filesystemRoot);
  return problems;
}

/** The same for a change, in which some nulls mean nothing. */
export async function endpointPatchProblems(patch: FileEndpointPatch, limits: EndpointLimits): Promise<InputProblems> {
  const problems = await endpointProblems(patch, limits);
  refuseNulls(problems, 'input', patch, ['name', 'settings']);
  if (patch.settings?.swift) {
    refuseNulls(problems, 'input.settings.swift', patch.settings.swift, ['authUrl', 'container', 'credentials']);
  }
  return problems;
}

/** `backups`, `backups/` and `backups//` are one prefix: `backups/`. */
export function storedPrefix(prefix: string | null | undefined): string {
  const folder = (prefix ?? '').replace(/\/+$/, '');
  return folder === '' ? '' : `${folder}/`;
}

function refuseWhatWaits({ settings, encryption }: FileEndpointInput | FileEndpointPatch): void {
  if (settings?.s3) throw notYetAvailable('File endpoints of kind S3 are not built yet. Use SWIFT or FILESYSTEM.');
  if (encryption) throw notYetAvailable('Encryption is not built yet. Leave input.encryption out.');
  if (settings?.swift?.credentials?.applicationCredential) {
    throw notYetAvailable('Application credentials are not built yet. Send a service user, or a v1 user.');
  }
}

function checkSwift(problems: InputProblems, swift: SwiftInput | SwiftPatch, targets: AllowedTargets): void {
  const path = 'input.settings.swift';
  problems
    .check(`${path}.authUrl`, swift.authUrl, authUrlRule, (url) => allowedAddress(targets)(new URL(url).hostname))
    .check(`${path}.container`, swift.container, containerName)
    .check(`${path}.region`, swift.region, text(1, 255));
  if (swift.credentials) checkCredentials(problems, `${path}.credentials`, swift.credentials);
}

function checkCredentials(problems: InputProblems, path: string, { serviceUser, v1 }: SwiftCredentialsInput): void {
  const name = text(1, 255);
  problems
    .check(`${path}.serviceUser.username`, serviceUser?.username, name)
    .check(`${path}.serviceUser.password`, serviceUser?.password, usableSecret)
    .check(`${path}.serviceUser.userDomain`, serviceUser?.userDomain, name)
    .check(`${path}.serviceUser.project`, serviceUser?.project, name)
    .check(`${path}.serviceUser.projectDomain`, serviceUser?.projectDomain, name)
    .check(`${path}.v1.user`, v1?.user, name)
    .check(`${path}.v1.key`, v1?.key, usableSecret);
}

async function checkFilesystem(problems: InputProblems, path: string, root: string | null): Promise<void> {
  const at = 'input.settings.filesystem.path';
  if (root === null) {
    const hint = 'Use another kind, or have the operator set STOWAGE_FILESYSTEM_ROOT.';
    problems.add('input.settings.filesystem', 'is a kind that this installation does not offer', hint);
    return;
  }
  const before = problems.fields.length;
  problems.check(at, path, folderBelow(root));
  if (problems.fields.length > before) return;
  const found = await folderProblem(root, path);
  if (found !== undefined) problems.add(at, found.problem, found.hint);
}

const authUrlRule: Rule<string> = (value) => {
  const hint = 'Write it like https://keystone.example.com:5000/v3';
  const unlikely = text(1, 2000)(value);
  if (unlikely !== undefined) return unlikely;
  if (!URL.canParse(value)) return { problem: 'is not a URL', hint };
  const url = new URL(value);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return { problem: 'is neither http nor https', hint };
  if (url.username !== '' || url.password !== '') {
    return { problem: 'has credentials in it', hint: 'Take them out, and send them as credentials.' };
  }
  // The URL class drops an empty query or fragment, which a server may still see.
  return /[?#]/.test(value) ? { problem: 'has a query or fragment', hint } : undefined;
};

/** At most 256 bytes without `/` (Swift API reference); a dash in front would read as an option of `swift`. */
const containerName: Rule<string> = (name) => {
  const hint = 'Write up to 256 bytes without slashes, for example backups.';
  const unlikely = text(1, 256)(name);
  if (unlikely !== undefined) return unlikely;
  if (Buffer.byteLength(name) > 256) return { problem: 'is longer than 256 bytes', hint };
  if (name.includes('/')) return { problem: 'contains a slash', hint: 'Put folders into input.prefix.' };
  if (name === '.' || name === '..' || name.startsWith('-')) return { problem: 'is no name of a container', hint };
  return undefined;
};

const prefixRule: Rule<string> = (prefix) => {
  if (prefix === '') return undefined;
  const hint = 'Write folders with slashes between, for example backups/orders.';
  const unlikely = text(1, 255)(prefix);
  if (unlikely !== undefined) return unlikely;
  if (prefix.startsWith('/')) return { problem: 'begins with a slash', hint };
  if (prefix.startsWith('-')) return { problem: 'begins with a dash', hint };
  const parts = prefix.replace(/\/+$/, '').split('/');
  if (parts.includes('..') || parts.includes('.')) return { problem: 'has a part that means another folder', hint };
  return parts.includes('') ? { problem: 'has empty parts', hint } : undefined;
};
