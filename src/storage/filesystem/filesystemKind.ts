import { join } from 'node:path';
import { Field, InputType, ObjectType } from 'type-graphql';
import { StowageError } from '../../errors.js';
import type { InputProblems } from '../../server/inputValidation.js';
import { shellWord } from '../shellWord.js';
import type { StorageKind } from '../storageKind.js';
import { filesystemDriver } from './filesystemDriver.js';
import { folderBelow, folderProblem, pathBelow } from './filesystemPath.js';

@InputType('FilesystemInput')
export class FilesystemInput {
  @Field(() => String, {
    description: "A folder below the server's STOWAGE_FILESYSTEM_ROOT, as a relative or an absolute path.",
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
 * Folders below STOWAGE_FILESYSTEM_ROOT. If it is not set, new endpoints are refused and stored ones are not opened.
 */
export function filesystemKind({
  filesystemRoot: root,
}: {
  readonly filesystemRoot: string | null;
}): StorageKind<FilesystemEndpoint, FilesystemInput, FilesystemInput> {
  const fromInput = ({ path }: FilesystemInput) => ({
    settings: { kind: 'FILESYSTEM', path: pathBelow(root ?? '', path) } as const,
    secret: null,
  });
  return {
    name: 'FILESYSTEM',
    field: 'filesystem',
    types: { input: FilesystemInput, patch: FilesystemInput, settings: FilesystemSettingsType },
    fieldsWithoutDefault: [],
    addProblems: (problems, path, input) => addProblems(problems, path, input, root),
    fromInput,
    afterPatch: (_, patch) => fromInput(patch),
    secretAddress: () => '',
    placeOf: ({ path }) => [path],
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
  root: string | null,
): Promise<void> {
  if (root === null) {
    const hint = 'Use another kind, or ask the operator to set STOWAGE_FILESYSTEM_ROOT.';
    problems.add(at, 'is a kind that this installation does not offer', hint);
    return;
  }
  const before = problems.fields.length;
  problems.check(`${at}.path`, path, folderBelow(root));
  if (problems.fields.length > before) return;
  const found = await folderProblem(root, path);
  if (found !== undefined) problems.add(`${at}.path`, found.problem, found.hint);
}

function required(root: string | null): string {
  if (root !== null) return root;
  throw new StowageError('ENDPOINT_FORBIDDEN', 'This machine offers no folder for file endpoints of kind FILESYSTEM.', {
    help: 'Ask the operator to set STOWAGE_FILESYSTEM_ROOT to the folder that holds the backups.',
  });
}
