import { StowageError } from '../../errors.js';
import type { Secret } from '../../secret.js';
import type { AllowedTargets } from '../allowedTargets.js';
import { hostAndPort } from '../http/httpUrl.js';
import { shellWord } from '../shellWord.js';
import type { StorageDriver } from '../storage.js';
import type { StorageKind } from '../storageKind.js';
import { swiftDriver } from './swiftDriver.js';
import { addSwiftProblems } from './swiftRules.js';
import type { SwiftCredentials, SwiftSettings } from './swiftSettings.js';
import {
  SwiftInput,
  SwiftPatch,
  SwiftServiceUserType,
  SwiftSettingsType,
  SwiftV1UserType,
  type SwiftCredentialsInput,
} from './swiftTypes.js';

/** The settings in the form that events hold. */
export type SwiftEndpoint = {
  readonly kind: 'SWIFT';
  readonly authUrl: string;
  readonly container: string;
  readonly region: string | null;
  readonly user: SwiftUser;
};

export type SwiftUser =
  | {
      readonly method: 'SERVICE_USER';
      readonly username: string;
      readonly userDomain: string;
      readonly project: string;
      readonly projectDomain: string;
    }
  | { readonly method: 'V1'; readonly user: string };

/** Containers of OpenStack Swift. `driver` opens them. Default: the driver of the program. */
export function swiftKind({
  allowedTargets,
  driver = swiftDriver,
}: {
  readonly allowedTargets: AllowedTargets;
  readonly driver?: StorageDriver<SwiftSettings>;
}): StorageKind<SwiftEndpoint, SwiftInput, SwiftPatch> {
  return {
    name: 'SWIFT',
    field: 'swift',
    types: { input: SwiftInput, patch: SwiftPatch, settings: SwiftSettingsType },
    fieldsWithoutDefault: ['authUrl', 'container', 'credentials'],
    secretField: 'credentials',
    addProblems: (problems, path, stated) => addSwiftProblems(problems, path, stated, allowedTargets),
    fromInput({ authUrl, container, region = null, createContainer, credentials }) {
      const { user, secret } = statedUser(credentials);
      return { settings: { kind: 'SWIFT', authUrl, container, region, user }, secret, createContainer };
    },
    afterPatch(before, { authUrl, container, region, credentials }) {
      const { user, secret } = credentials ? statedUser(credentials) : { user: before.user, secret: undefined };
      const settings = {
        kind: before.kind,
        authUrl: authUrl ?? before.authUrl,
        container: container ?? before.container,
        region: region === undefined ? before.region : region,
        user,
      };
      return { settings, secret };
    },
    secretAddress: ({ authUrl }) => authUrl,
    placeOf: ({ container, region, user }) => [container, region, ...accountOf(user)],
    spelledOut: ({ authUrl, container, region, user }, prefix) => [
      hostAndPort(authUrl),
      ...accountOf(user).map((part) => part.toLowerCase()),
      ...[region ?? '', container, ...prefix.split('/').filter((part) => part !== '')],
    ],
    writtenAlike: ({ kind, container }) => ({ kind, container }),
    locationOf: ({ container, region }) => (region === null ? container : `${container} at ${region}`),
    shownSettings({ authUrl, container, region, user: { method, ...user } }) {
      const credentials = Object.assign(method === 'V1' ? new SwiftV1UserType() : new SwiftServiceUserType(), user);
      return Object.assign(new SwiftSettingsType(), { authUrl, container, region, credentials });
    },
    // `swift` reads address and credentials from the OS_… or ST_… variables.
    downloadCommand: ({ container }, objectName) =>
      `swift download -o - ${shellWord(container)} ${shellWord(objectName)}`,
    target({ authUrl, container, region, user }, secret, { createContainer = false } = {}) {
      if (secret === null) throw new StowageError('INTERNAL', `The Swift endpoint of ${container} has no secret.`);
      const settings = {
        ...{ authUrl, container, createContainer, allowHost: allowedTargets.allowsHost },
        ...(region === null ? {} : { region }),
        credentials: credentialsOf(user, secret),
      };
      return { open: () => driver.open(settings), check: (options) => driver.check(settings, options) };
    },
  };
}

function statedUser({ serviceUser, v1 }: SwiftCredentialsInput): { user: SwiftUser; secret: Secret } {
  if (serviceUser) {
    const { username, password, userDomain, project, projectDomain } = serviceUser;
    return { user: { method: 'SERVICE_USER', username, userDomain, project, projectDomain }, secret: password };
  }
  if (v1) return { user: { method: 'V1', user: v1.user }, secret: v1.key };
  throw new StowageError('INTERNAL', 'The input has neither a service user nor a v1 user.');
}

function credentialsOf({ method, ...names }: SwiftUser, secret: Secret): SwiftCredentials {
  const credentials = { kind: method, ...names, ...(method === 'V1' ? { key: secret } : { password: secret }) };
  return credentials as SwiftCredentials;
}

/** Each account has its own container of that name. A v1 user names its account before the colon. */
function accountOf(user: SwiftUser): readonly string[] {
  return user.method === 'V1' ? [user.user.split(':')[0] ?? ''] : [user.project, user.projectDomain];
}
