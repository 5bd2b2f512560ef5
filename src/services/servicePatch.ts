import { isDeepStrictEqual } from 'node:util';
import { badInput, StowageError } from '../errors.js';
import type { ServiceSettings } from './service.js';
import type { ServiceInput, ServicePatch } from './serviceInput.js';

/** What a client says of a service, with defaults in place; the password stands apart. */
export type StatedSettings = Omit<ServiceSettings, 'credential'>;

const noTls = { mode: 'OFF', ca: null } as const;

export function statedSettings(input: ServiceInput, defaultPort: number): StatedSettings {
  return {
    name: input.name,
    host: input.host,
    port: input.port ?? defaultPort,
    username: input.username ?? null,
    databases: input.databases ?? null,
    tls: statedTls(input.tls) ?? noTls,
    authSource: input.authSource ?? null,
    recoveryPointObjectiveMs: input.recoveryPointObjective ?? null,
  };
}

/**
 * The settings after a patch: absent is unchanged, null the default. Name and host have none: their nulls are refused
 * before. Throws SECRET_REQUIRED where the stored password would go elsewhere, and BAD_INPUT where it would have no user.
 */
export function patchedSettings(before: ServiceSettings, patch: ServicePatch, defaultPort: number): StatedSettings {
  const after: StatedSettings = {
    name: patch.name ?? before.name,
    host: patch.host ?? before.host,
    port: patched(patch.port, before.port, defaultPort),
    username: patched(patch.username, before.username, null),
    databases: patched(patch.databases, before.databases, null),
    tls: patched(statedTls(patch.tls), before.tls, noTls),
    authSource: patched(patch.authSource, before.authSource, null),
    recoveryPointObjectiveMs: patched(patch.recoveryPointObjective, before.recoveryPointObjectiveMs, null),
  };
  const keepsPassword = before.credential !== null && patch.password === undefined;
  if (keepsPassword && !isDeepStrictEqual(destination(before), destination(after))) {
    throw new StowageError(
      'SECRET_REQUIRED',
      `The change would send the stored password of service "${before.name}" to another place.`,
      { help: 'Send input.password together with the new host, port or tls.', details: { path: 'input.password' } },
    );
  }
  if ((keepsPassword || Boolean(patch.password)) && after.username === null) {
    throw badInput([{ path: 'input.username', ...passwordWithoutUser }]);
  }
  return after;
}

export const passwordWithoutUser = {
  problem: 'is missing beside a password',
  hint: 'Name the user that the password is of.',
} as const;

function patched<Value>(change: Value | null | undefined, before: Value, byDefault: Value): Value {
  if (change === undefined) return before;
  return change ?? byDefault;
}

function statedTls(tls: ServiceInput['tls']): StatedSettings['tls'] | null | undefined {
  return tls === undefined || tls === null ? tls : { mode: tls.mode, ca: tls.ca ?? null };
}

/** Where a password goes, and who could read it on the way. */
function destination({ host, port, tls }: StatedSettings): readonly unknown[] {
  return [host, port, tls];
}
