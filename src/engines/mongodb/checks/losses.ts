import { StowageError } from '../../../errors.js';
import type { Catalog, Index } from '../catalog/catalog.js';
import type { MongodbServer } from '../session/server.js';

const listedAtMost = 20;

/** Losses that no option prevents. Each warning names the objects. `hasAccounts`: another check covers the accounts. */
export function findLosses(
  catalog: Catalog,
  server: MongodbServer,
  { hasAccounts }: { readonly hasAccounts: boolean },
): readonly string[] {
  const { leftOut, accounts, seesAccounts, collections } = catalog;
  const queued = collections.filter(({ options }) => 'encryptedFields' in options).map(nameOf);
  return [
    ...(leftOut.length === 0
      ? []
      : [`mongodump leaves out these collections because of their names: ${listed(leftOut.map(nameOf))}.`]),
    ...(hasAccounts || accounts.length === 0
      ? []
      : [
          `Users and roles are not in the backup. Its inventory lists their names and rights: ${listed(accounts.map((each) => `${each.kind === 'users' ? 'user' : 'role'} ${nameOf(each)}`))}.`,
        ]),
    ...(hasAccounts || seesAccounts
      ? []
      : [
          'The user may not see users and roles, so the inventory of the backup does not list them. To change this, give it the role userAdmin on each database, or backup on admin.',
        ]),
    ...(queued.length === 0
      ? []
      : [
          `The backup holds these collections with encrypted fields, but not the keys of the clients: ${listed(queued)}.`,
        ]),
    ...(server.kind === 'MONGOS'
      ? [
          'The shard keys and zones of a sharded cluster are not in the backup: a restore creates unsharded collections.',
        ]
      : []),
  ];
}

/**
 * Throws TOOL_FAILED for a database whose name mongodump accepts and mongorestore refuses, and for an index of an old
 * server that no supported server creates again. In the second case a restore would fail after all documents were written.
 */
export function refuseUnrestorable({ databases, indexes }: Catalog): void {
  const badNames = databases
    .filter((name) => /[/\\. "$\0]/.test(name))
    .map((name) => ({ object: `database '${name}'`, why: 'mongorestore refuses its name' }));
  const badIndexes = indexes.flatMap((index) => {
    const why = whyUnrestorable(index);
    return why === undefined ? [] : [{ object: `index ${index.name} of ${index.database}.${index.collection}`, why }];
  });
  const problems = [...badNames, ...badIndexes];
  if (problems.length === 0) return;
  const shown = problems.slice(0, 10).map(({ object, why }) => `${object}: ${why}`);
  const more = problems.length > 10 ? `; and ${problems.length - 10} more` : '';
  throw new StowageError('TOOL_FAILED', `A dump of these objects cannot be restored: ${shown.join('; ')}${more}.`, {
    help:
      badNames.length > 0
        ? 'Copy the collections into a database with another name, or name the other databases in the service. Then start the backup again.'
        : 'Drop each of these indexes and create it again with options of today (collMod cannot change them). Then start the backup again.',
    details: { problems },
  });
}

/** The options that createIndexes accepts (https://www.mongodb.com/docs/manual/reference/command/createIndexes/). */
const knownOptions = new Set([
  ...['key', 'v', 'unique', 'sparse', 'background', 'expireAfterSeconds', 'partialFilterExpression', 'hidden'],
  ...['storageEngine', 'weights', 'default_language', 'language_override', 'textIndexVersion', 'collation'],
  ...['2dsphereIndexVersion', 'bits', 'min', 'max', 'bucketSize', 'wildcardProjection', 'prepareUnique', 'clustered'],
  ...['dropDups', 'originalSpec', 'finestIndexedLevel', 'coarsestIndexedLevel'],
]);

function whyUnrestorable({ definition, name }: Index): string | undefined {
  if (name === '_id_') return undefined;
  const unknown = Object.keys(definition).filter((option) => !knownOptions.has(option));
  if (unknown.length > 0) return `no server accepts the option ${unknown.join(', ')} any more`;
  if (definition['v'] === '0') return 'no server creates indexes of version 0 any more';
  return undefined;
}

function nameOf({ database, name }: { readonly database: string; readonly name: string }): string {
  return `${database}.${name}`;
}

export function listed(names: readonly string[]): string {
  const more = names.length > listedAtMost ? ` and ${names.length - listedAtMost} more` : '';
  return `${names.slice(0, listedAtMost).join(', ')}${more}`;
}
