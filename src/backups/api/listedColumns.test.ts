import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { getNamedType, isLeafType, isObjectType, type GraphQLField, type GraphQLOutputType } from 'graphql';
import { fillWithBackupJobs } from '../../../test/fixtures/manyBackupJobs.js';
import { postgresMissing } from '../../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { sentStatements } from '../../../test/fixtures/sentStatements.js';
import { startWholeApi, type WholeApi } from '../../../test/fixtures/api/wholeApi.js';

describeWith({ postgresql: await postgresMissing() }, 'a list of backup jobs', () => {
  let api: WholeApi;

  beforeAll(async () => {
    api = await startWholeApi();
    await fillWithBackupJobs(api.owner, { projects: 2, services: 10, jobs: 200 });
    await api.owner.query(`
      UPDATE backup_jobs SET
        hold = '{"reason": "audit", "by": "anna", "at": "2026-01-01T00:00:00Z"}',
        verified = '{"level": "STORED", "at": "2026-01-02T00:00:00Z"}', warnings = '["odd"]', readers = '["reader"]',
        parts = '[{"name": "all", "objectName": "all.sql", "sizeBytes": 8, "storedSizeBytes": 4, "checksum": "c",
          "restoreByHand": "cat"}]'
      WHERE status = 'SUCCEEDED' AND hashtext(id::text) % 2 = 0;
      UPDATE backup_jobs SET retry_at = queued_at, attempts = '[{"number": 1, "worker": "w", "folder": "f",
        "startedAt": "2026-01-01T00:00:00Z", "finishedAt": null, "outcome": "FAILED", "error": null}]'
      WHERE status = 'QUEUED' AND hashtext(id::text) % 2 = 0;
      UPDATE backup_jobs SET phase = 'DUMPING' WHERE status = 'RUNNING' AND hashtext(id::text) % 2 = 0;
      UPDATE backup_jobs SET cancel_requested_by = 'anna' WHERE status IN ('CANCELLED', 'RUNNING');
      UPDATE backup_jobs SET skipped_for = (SELECT min(id::text)::uuid FROM backup_jobs),
        retry_of = (SELECT max(id::text)::uuid FROM backup_jobs) WHERE status = 'SKIPPED';
    `);
  });
  afterAll(() => api.stop());

  const fields = () => {
    const type = api.schema.getType('BackupJob');
    if (!isObjectType(type)) throw new Error('BackupJob is not an object type.');
    // A page of objects for each of 200 backups is TOO_COMPLEX.
    return Object.values(type.getFields()).filter(({ name }) => name !== 'inventoryObjects');
  };
  const dataOf = async (query: string) => {
    const { data, errors, text } = await api.post(query);
    if (errors.length > 0) throw new Error(`${query} ${text}`);
    return data as Readonly<Record<string, { edges: readonly unknown[] }>>;
  };

  test('returns the same for each field alone as for all fields together', async () => {
    const all = fields().map((field) => `${field.name}${selectionOf(field)}`);
    const { whole } = await dataOf(`{ whole: backupJobs(first: 200) { edges { cursor node { ${all.join(' ')} } } } }`);
    const edges = whole?.edges as readonly { cursor: string; node: Readonly<Record<string, unknown>> }[];
    expect(edges).toHaveLength(200);
    for (const [place, { name }] of fields().entries()) {
      if (name === 'expectedDeletionAt') continue; // This field reads whole rows, and may change a moment later.
      const { alone } = await dataOf(`{ alone: backupJobs(first: 200) { edges { ...edge } } }
        fragment edge on BackupJobEdge { cursor node { ... { ...asked } } }
        fragment asked on BackupJob { ${all[place] ?? ''} }`);
      expect(alone?.edges).toEqual(edges.map(({ cursor, node }) => ({ cursor, node: { [name]: node[name] } })));
    }
  });

  test('reads no column that no selected field needs', async () => {
    const reads = async (connection: string) => {
      const sent = await sentStatements(api.shared.dataSource, () => dataOf(`{ backupJobs { ${connection} } }`));
      // Other queries of the program, such as the one for late services, may run in between.
      return sent.find(({ query }) => /\bbackup_jobs\b.*\brow\b/s.test(query))?.query;
    };
    expect(await reads('nodes { id status }')).not.toMatch(/attempts|parts|trigger/);
    expect(await reads('nodes { status } edges { node { trigger } }')).toMatch(/trigger/);
    expect(await reads('totalCount pageInfo { endCursor }')).not.toMatch(/attempts|parts|trigger/);
    expect(await reads('nodes { expectedDeletionAt }')).toMatch(/attempts_with_remains/);
  });
});

/** The ids in the result of a field. If there are none, the whole result. */
function selectionOf({ type }: GraphQLField<unknown, unknown>): string {
  const named: GraphQLOutputType = getNamedType(type);
  if (!isObjectType(named)) return '';
  if (named.name.endsWith('Connection')) return '(first: 1) { nodes { id } }';
  const leaves = Object.values(named.getFields()).filter((field) => isLeafType(getNamedType(field.type)));
  const names = leaves.map(({ name }) => name);
  return ` { ${names.includes('id') ? 'id' : names.join(' ')} }`;
}
