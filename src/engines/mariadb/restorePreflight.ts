import { StowageError } from '../../errors.js';
import type { Inventory, RestorePreflight } from '../engine.js';
import { missingDefiners } from './losses.js';
import { readGrants, refuseMissingRestorePrivileges } from './privileges.js';
import { findDatabaseUnderRestore } from './restoreSessions.js';
import { listDatabases } from './selection.js';
import { refuseTargetSettings } from './settingsPreflight.js';
import type { Session } from './session.js';

/** Refuses what the restore would overwrite or could not finish, before anything is sent. */
export async function checkRestore(session: Session, inventory: Inventory): Promise<RestorePreflight> {
  await refuseExistingDatabases(session, inventory);
  const grants = await readGrants(session);
  await refuseMissingRestorePrivileges(session, inventory, grants);
  await refuseTargetSettings(session, inventory, grants);
  await refuseTooLargeRows(session, inventory);
  const beingMade = await findDatabaseUnderRestore(session, inventory);
  if (beingMade !== undefined) {
    throw new StowageError('TARGET_EXISTS', `Another restore is making the database '${beingMade}' on the target.`, {
      help: 'Wait until it has ended, or the server has rolled it back, and look at what it has made.',
      details: { existing: [beingMade] },
    });
  }
  const events = await eventsThatWillRun(session, inventory);
  return {
    warnings: [
      ...(await warnOfDefiners(session, inventory)),
      ...(events.length === 0
        ? []
        : [
            `The target's event scheduler is on: these events run there as soon as they are restored: ${events.join(', ')}.`,
          ]),
      ...(await warnOfOlderServer(session, inventory)),
    ],
    changesByItself: events.length > 0,
  };
}

async function refuseExistingDatabases(session: Session, inventory: Inventory): Promise<void> {
  const [setting] = await session.query('SELECT @@lower_case_table_names AS folded');
  const fold = (name: string) => (setting?.['folded'] === '0' ? name : name.toLowerCase());
  const present = new Set((await listDatabases(session)).map(({ name }) => fold(name)));
  const existing = inventory.databases.map(({ name }) => name).filter((name) => present.has(fold(name)));
  if (existing.length === 0) return;
  const list = existing.map((name) => `'${name}'`).join(', ');
  throw new StowageError('TARGET_EXISTS', `The target already has the database ${list}.`, { details: { existing } });
}

/** A statement carries at least one row; one larger than the server takes ends the connection (error 2006). */
async function refuseTooLargeRows(session: Session, inventory: Inventory): Promise<void> {
  const [setting] = await session.query('SELECT @@global.max_allowed_packet AS bytes');
  const limitBytes = Number(setting?.['bytes'] ?? 0);
  for (const { name, largestRowBytes: neededBytes = 0 } of inventory.databases) {
    if (neededBytes < limitBytes) continue;
    throw new StowageError(
      'TOOL_FAILED',
      `A row of database '${name}' takes ${neededBytes} bytes in the dump, and the target takes ${limitBytes} in one statement.`,
      { help: `Raise max_allowed_packet on the target: SET GLOBAL max_allowed_packet=${roundedUp(neededBytes)};` },
    );
  }
}

const mebibyte = 1024 * 1024;

function roundedUp(bytes: number): number {
  return Math.min(1024, Math.ceil((bytes * 1.1) / mebibyte)) * mebibyte;
}

async function warnOfDefiners(session: Session, inventory: Inventory): Promise<readonly string[]> {
  const definers = new Set(inventory.databases.flatMap(({ objects }) => objects['definers'] ?? []));
  const missing = await missingDefiners(session, [...definers].sort());
  if (missing.length === 0) return [];
  return [
    `Definers that do not exist on the target: ${missing.join(', ')}. Their views, routines, triggers and events fail when used, and a view on such a view fails the restore.`,
  ];
}

async function eventsThatWillRun(session: Session, inventory: Inventory): Promise<readonly string[]> {
  const events = inventory.databases.flatMap(({ name, objects }) =>
    (objects['events'] ?? []).map((event) => `${name}.${event}`),
  );
  const [setting] = await session.query('SELECT @@event_scheduler AS scheduler');
  return setting?.['scheduler'] === 'ON' ? events : [];
}

async function warnOfOlderServer(session: Session, inventory: Inventory): Promise<readonly string[]> {
  const [row] = await session.query('SELECT VERSION() AS version');
  const [target, source] = [row?.['version'] ?? '', inventory.serverVersion];
  if (ordinal(target) >= ordinal(source)) return [];
  return [
    `The target (${target}) is older than the server of the backup (${source}): it may not know all that was dumped.`,
  ];
}

function ordinal(version: string): number {
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  return major * 1000 + minor;
}
