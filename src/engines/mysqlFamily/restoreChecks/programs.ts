import type { Inventory } from '../../inventory.js';
import type { Grants } from '../privileges/grants.js';
import type { ServerDialect } from '../session/serverDialect.js';
import { isOn, type Target } from './target.js';
import { named, unfit } from './unfit.js';

/** The global privileges that are missing for the restore on this target, to be granted ON *.*. */
export function lackingOnEverything(
  dialect: ServerDialect,
  target: Target,
  inventory: Inventory,
  { grants, account }: { readonly grants: Grants; readonly account: string },
): readonly string[] {
  const foreign = inventory.databases.some(({ objects }) =>
    (objects['definers'] ?? []).some((definer) => definer !== account),
  );
  return [
    ...(foreign ? [dialect.lackingForDefiners(target.release, grants)] : []),
    ...(logsFunctions(target) && hasFunctions(inventory) && !grants.holdsGlobally('SUPER') ? ['SUPER'] : []),
  ].filter((privilege) => privilege !== undefined);
}

/**
 * A server with a binary log refuses a function that is neither DETERMINISTIC nor READS SQL DATA nor NO SQL, even if
 * the user has all privileges (1418). Other functions, and triggers, need SUPER (1419). Galera has the same effect as a
 * binary log.
 */
export function refuseUntrustedFunctions(target: Target, inventory: Inventory): void {
  if (!logsFunctions(target)) return;
  const functions = inventory.databases.flatMap(({ needs }) => needs?.['trusted functions'] ?? []);
  if (functions.length === 0) return;
  throw unfit(
    `The target writes a binary log. It accepts only functions that are declared DETERMINISTIC, NO SQL or READS SQL DATA (error 1418). These functions of the backup are not declared so: ${named(functions)}.`,
    'Run on the target, as a user with SUPER or BINLOG ADMIN: SET GLOBAL log_bin_trust_function_creators=1; Set it to 0 again after the restore. Granting a privilege to this user does not help.',
    functions,
  );
}

function logsFunctions(target: Target): boolean {
  const logs = isOn(target, 'log_bin') || isOn(target, 'wsrep_on');
  return logs && !isOn(target, 'log_bin_trust_function_creators');
}

function hasFunctions(inventory: Inventory): boolean {
  return inventory.databases.some(
    ({ objects }) => (objects['functions']?.length ?? 0) + (objects['triggers']?.length ?? 0) > 0,
  );
}
