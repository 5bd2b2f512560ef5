import { StowageError } from '../../../errors.js';
import type { Engine } from '../../engine.js';
import type { Inventory } from '../../inventory.js';
import type { RestorePreflight } from '../../runningRestore.js';
import { missingDefiners } from '../checks/losses.js';
import { warnOfDirectories } from '../definitions/needs.js';
import { readGrants, refuseMissingRestorePrivileges } from '../privileges/privileges.js';
import { refuseMissingReferences } from './elsewhere.js';
import { warnOfEndedEvents } from './endedEvents.js';
import { checkFoldedSpellings, refuseCollidingNames } from './letterCase.js';
import { refuseMissingOffers } from './offers.js';
import { refuseUntrustedFunctions } from './programs.js';
import { refuseMissingServerObjects } from './serverObjects.js';
import { readTarget, type Target } from './target.js';
import { unfit } from './unfit.js';
import { findDatabaseUnderRestore } from '../restore/restoreSessions.js';
import { listDatabases } from '../catalog/selection.js';
import { refuseTargetSettings, warnOfTargetSettings } from '../checks/settingsPreflight.js';
import type { Session } from '../session/session.js';

type RestoreSource = Parameters<Engine['restorePreflight']>[1];

/** Refuses a restore that would overwrite something or could not finish, before anything is sent. */
export async function checkRestore(session: Session, source: RestoreSource): Promise<RestorePreflight> {
  const { inventory } = source;
  const target = await readTarget(session);
  await refuseExistingDatabases(session, inventory);
  refuseCollidingNames(target, inventory);
  refuseMissingOffers(session.dialect, target, inventory);
  refuseUntrustedFunctions(target, inventory);
  const grants = await readGrants(session);
  await refuseMissingRestorePrivileges(session, inventory, grants, target);
  await refuseTargetSettings(session, inventory, grants);
  await refuseMissingReferences(session, target, inventory);
  await refuseMissingServerObjects(session, inventory);
  const spellings = checkFoldedSpellings(target, inventory);
  refuseLongStatements(target, source);
  const beingMade = await findDatabaseUnderRestore(session, inventory);
  if (beingMade !== undefined) {
    throw new StowageError('TARGET_EXISTS', `Another restore is creating the database '${beingMade}' on the target.`, {
      help: 'Wait until it has ended or the server has rolled it back, and check what it has created.',
      details: { existing: [beingMade] },
    });
  }
  const events = await eventsThatWillRun(session, inventory);
  return {
    warnings: [
      ...spellings,
      ...(await warnOfDefiners(session, inventory)),
      ...(await warnOfGrantees(session, inventory)),
      ...(events.length === 0
        ? []
        : [
            `The target's event scheduler is on: these events run there as soon as they are restored: ${events.join(', ')}.`,
          ]),
      ...warnOfEndedEvents(inventory, new Date()),
      ...warnOfDirectories(inventory),
      ...warnOfOlderServer(session, target, inventory),
      ...warnOfTargetSettings(session.found, inventory),
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

/** A statement longer than the server accepts ends the connection (2006) or is refused (1153). */
function refuseLongStatements({ variables }: Target, { inventory, parts = [] }: RestoreSource): void {
  const limitBytes = Number(variables.get('max_allowed_packet') ?? 0);
  const measured = parts.flatMap(({ longestStatementBytes }) => longestStatementBytes ?? []);
  const isMeasured = measured.length > 0 && measured.length === parts.length;
  // An older backup records only a lower limit of a row's size.
  const rows = inventory.databases.map(({ largestRowBytes = 0 }) => largestRowBytes);
  const neededBytes = Math.max(0, ...(isMeasured ? measured : rows));
  // The command itself takes one byte.
  if (neededBytes < limitBytes) return;
  throw unfit(
    `The longest statement of the backup has ${neededBytes} bytes, and the target accepts at most ${limitBytes} in one statement (max_allowed_packet).`,
    `Run on the target: SET GLOBAL max_allowed_packet=${roundedUp(neededBytes)};`,
  );
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
    `Definers that do not exist on the target: ${missing.join(', ')}. Their views, routines, triggers and events fail when used. Create them there before the restore (CREATE USER, or CREATE ROLE where it was a role).`,
  ];
}

async function warnOfGrantees(session: Session, inventory: Inventory): Promise<readonly string[]> {
  const grantees = new Set(inventory.databases.flatMap(({ grantees: each = [] }) => each));
  const missing = await missingDefiners(session, [...grantees].sort());
  if (missing.length === 0) return [];
  return [
    `Accounts that have privileges on the databases of the backup, and do not exist on the target: ${shortList(missing)}. A restore creates no accounts and grants nothing. The part 'users' of the backup contains their statements.`,
  ];
}

/** Names at most 50 of the names. */
function shortList(names: readonly string[]): string {
  const others = names.length - 50;
  return others > 0 ? `${names.slice(0, 50).join(', ')} and ${others} more` : names.join(', ');
}

async function eventsThatWillRun(session: Session, inventory: Inventory): Promise<readonly string[]> {
  const events = inventory.databases.flatMap(({ name, objects }) =>
    (objects['events'] ?? []).map((event) => `${name}.${event}`),
  );
  const [setting] = await session.query('SELECT @@event_scheduler AS scheduler');
  return setting?.['scheduler'] === 'ON' ? events : [];
}

function warnOfOlderServer(
  { dialect }: Session,
  { version, release }: Target,
  inventory: Inventory,
): readonly string[] {
  const source = inventory.serverVersion;
  if (release >= dialect.releaseOf(source)) return [];
  return [
    `The target (${version}) is older than the server of the backup (${source}): it may not support everything in the dump.`,
  ];
}
