import { isDeepStrictEqual } from 'node:util';
import { badInput, StowageError } from '../errors.js';
import { patched } from '../server/patched.js';
import type { ServiceSettings } from './service.js';
import type { ServiceInput, ServicePatch } from './serviceInput.js';

/** The settings that a client sends, with defaults for absent fields and without the password. */
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
 * The settings after a patch. An absent field keeps its value, and null sets its default. Null for name and host was
 * refused earlier. Throws SECRET_REQUIRED if the stored password would be sent to another address, and BAD_INPUT for a
 * password without a user.
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
      `The change would send the stored password of service "${before.name}" to another address.`,
      { help: 'Send input.password together with the new host, port or tls.', details: { path: 'input.password' } },
    );
  }
  if ((keepsPassword || Boolean(patch.password)) && after.username === null) {
    throw badInput([{ path: 'input.username', ...passwordWithoutUser }]);
  }
  return after;
}

export const passwordWithoutUser = {
  problem: 'is missing, and there is a password',
  hint: 'Send the user that the password belongs to.',
} as const;

function statedTls(tls: ServiceInput['tls']): StatedSettings['tls'] | null | undefined {
  return tls === undefined || tls === null ? tls : { mode: tls.mode, ca: tls.ca ?? null };
}

/** The place that a password is sent to. TLS is part of it, because without TLS others can read the password. */
function destination({ host, port, tls }: StatedSettings): readonly unknown[] {
  return [host, port, tls];
}
