import { StowageError } from '../errors.js';
import type { Secret } from '../secret.js';
import { anotherKind, type EndpointSettings, type FileEndpointContent, type SwiftUser } from './fileEndpoint.js';
import type {
  FileEndpointInput,
  FileEndpointPatch,
  FileEndpointSettingsPatch,
  SwiftCredentialsInput,
} from './fileEndpointInput.js';
import { storedPrefix } from './fileEndpointRules.js';
import { pathBelow } from './filesystemPath.js';

/** What a client says of an endpoint, its secret apart. The input has been checked before. */
export type StatedEndpoint = Omit<FileEndpointContent, 'credential'> & {
  /** Undefined: the stored one stays. Null: there is none. */
  readonly secret: Secret | null | undefined;
  readonly createContainer: boolean;
};

export function statedEndpoint(input: FileEndpointInput, filesystemRoot: string | null): StatedEndpoint {
  const { name, settings } = input;
  const prefix = storedPrefix(input.prefix);
  if (settings.swift) {
    const { authUrl, container, region = null, createContainer, credentials } = settings.swift;
    const { user, secret } = statedUser(credentials);
    return { name, prefix, settings: { kind: 'SWIFT', authUrl, container, region, user }, secret, createContainer };
  }
  const path = pathBelow(filesystemRoot ?? '', settings.filesystem?.path ?? '');
  return { name, prefix, settings: { kind: 'FILESYSTEM', path }, secret: null, createContainer: false };
}

/**
 * The endpoint after a patch: absent is unchanged, null the default. Throws BAD_INPUT for another kind, and
 * SECRET_REQUIRED where the stored secret would go to another authUrl.
 */
export function patchedEndpoint(
  before: FileEndpointContent,
  patch: FileEndpointPatch,
  filesystemRoot: string | null,
): StatedEndpoint {
  const stated = patch.settings ? patchedSettings(before, patch.settings, filesystemRoot) : unchanged(before);
  return {
    ...stated,
    name: patch.name ?? before.name,
    prefix: patch.prefix === undefined ? before.prefix : storedPrefix(patch.prefix),
    createContainer: false,
  };
}

type Stated = { readonly settings: EndpointSettings; readonly secret: Secret | null | undefined };

function unchanged({ settings, credential }: FileEndpointContent): Stated {
  return { settings, secret: credential === null ? null : undefined };
}

function patchedSettings(
  before: FileEndpointContent,
  patch: FileEndpointSettingsPatch,
  filesystemRoot: string | null,
): Stated {
  const { settings } = before;
  if (settings.kind === 'FILESYSTEM') {
    if (!patch.filesystem) throw anotherKind(settings.kind);
    return { settings: { ...settings, path: pathBelow(filesystemRoot ?? '', patch.filesystem.path) }, secret: null };
  }
  if (!patch.swift) throw anotherKind(settings.kind);
  const { authUrl, container, region, credentials } = patch.swift;
  const stated = credentials ? statedUser(credentials) : { user: settings.user, secret: undefined };
  const after = {
    kind: settings.kind,
    authUrl: authUrl ?? settings.authUrl,
    container: container ?? settings.container,
    region: region === undefined ? settings.region : region,
    user: stated.user,
  };
  if (after.authUrl !== settings.authUrl && stated.secret === undefined) throw secretRequired(before.name);
  return { settings: after, secret: stated.secret };
}

function statedUser({ serviceUser, v1 }: SwiftCredentialsInput): { user: SwiftUser; secret: Secret } {
  if (serviceUser) {
    const { username, password, userDomain, project, projectDomain } = serviceUser;
    return { user: { method: 'SERVICE_USER', username, userDomain, project, projectDomain }, secret: password };
  }
  if (v1) return { user: { method: 'V1', user: v1.user }, secret: v1.key };
  throw new StowageError('NOT_YET_AVAILABLE', 'Credentials of this kind are not built yet.');
}

function secretRequired(name: string): StowageError {
  return new StowageError(
    'SECRET_REQUIRED',
    `The change would send the stored secret of file endpoint "${name}" to another place.`,
    {
      help: 'Send input.settings.swift.credentials together with the new authUrl.',
      details: { path: 'input.settings.swift.credentials' },
    },
  );
}
