import { join } from 'node:path';
import { Field, InputType, ObjectType } from 'type-graphql';
import { StowageError } from '../../errors.js';
import type { InputProblems } from '../../server/inputValidation.js';
import { shellWord } from '../shellWord.js';
import type { EndpointToState, StorageKind } from '../storageKind.js';
import { filesystemDriver } from './filesystemDriver.js';
import { foldedParts, folderBelow, folderProblem, pathBelow, storedPath } from './filesystemPath.js';

@InputType('FilesystemInput')
export class FilesystemInput {
  @Field(() => String, {
    description:
      "A folder in the folder of the project, as a path relative to that folder or as an absolute path. The folder of the project is below the server's STOWAGE_FILESYSTEM_ROOT.",
  })
  readonly path!: string;
}

@ObjectType('FilesystemSettings')
export class FilesystemSettingsType {
  @Field(() => String, { description: "Below the server's STOWAGE_FILESYSTEM_ROOT, relative to it." })
  readonly path!: string;
}

/** `path` is relative to the root. */
export type FilesystemEndpoint = { readonly kind: 'FILESYSTEM'; readonly path: string };

/**
 * Folders below STOWAGE_FILESYSTEM_ROOT. The folder of a new endpoint is in the folder of its project. Endpoints that were
 * created before this rule keep theirs, at any place below the root. If it is not set, new endpoints are refused and stored ones are not opened.
 */
export function filesystemKind({
  filesystemRoot: root,
}: {
  readonly filesystemRoot: string | null;
}): StorageKind<FilesystemEndpoint, FilesystemInput, FilesystemInput> {
  const fromInput = ({ path }: FilesystemInput, projectId: string) => ({
    settings: { kind: 'FILESYSTEM', path: storedPath(root ?? '', projectId, path) } as const,
    secret: null,
  });
  const isStored = (path: string, before: FilesystemEndpoint | undefined) =>
    pathBelow(root ?? '', path) === before?.path;
  return {
    name: 'FILESYSTEM',
    field: 'filesystem',
    types: { input: FilesystemInput, patch: FilesystemInput, settings: FilesystemSettingsType },
    fieldsWithoutDefault: [],
    addProblems: (problems, path, input, endpoint) =>
      isStored(input.path, endpoint.before) ? undefined : addProblems(problems, path, input, { root, ...endpoint }),
    fromInput,
    afterPatch: (before, patch, projectId) =>
      isStored(patch.path, before) ? { settings: before, secret: null } : fromInput(patch, projectId),
    secretAddress: () => '',
    placeOf: ({ path }) => [path],
    spelledOut: ({ path }, prefix) => foldedParts(`${path}/${prefix}`),
    writtenAlike: ({ kind }) => ({ kind }),
    fromOutermost: ({ kind, path }, prefix) => ({
      settings: { kind, path: '' },
      prefix: path === '' ? prefix : `${path}/${prefix}`,
    }),
    locationOf: ({ path }) => (root === null ? path : join(root, path)),
    shownSettings: ({ path }) => Object.assign(new FilesystemSettingsType(), { path }),
    downloadCommand: ({ path }, objectName) => `cat ${shellWord(join(required(root), path, objectName))}`,
    target({ path }) {
      const settings = { root: required(root), path };
      return {
        open: () => filesystemDriver.open(settings),
        check: (options) => filesystemDriver.check(settings, options),
      };
    },
  };
}

async function addProblems(
  problems: InputProblems,
  at: string,
  { path }: FilesystemInput,
  { root, projectId }: EndpointToState<FilesystemEndpoint> & { readonly root: string | null },
): Promise<void> {
  if (root === null) {
    const hint = 'Use another kind, or ask the operator to set STOWAGE_FILESYSTEM_ROOT.';
    problems.add(at, 'is a kind that this installation does not offer', hint);
    return;
  }
  const before = problems.fields.length;
  problems.check(`${at}.path`, path, folderBelow(root, projectId));
  if (problems.fields.length > before) return;
  const found = await folderProblem(root, storedPath(root, projectId, path));
  if (found !== undefined) problems.add(`${at}.path`, found.problem, found.hint);
}

function required(root: string | null): string {
  if (root !== null) return root;
  throw new StowageError('ENDPOINT_FORBIDDEN', 'This machine offers no folder for file endpoints of kind FILESYSTEM.', {
    help: 'Ask the operator to set STOWAGE_FILESYSTEM_ROOT to the folder that holds the backups.',
  });
}
