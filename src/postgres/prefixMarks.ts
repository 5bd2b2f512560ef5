import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { DataSource } from 'typeorm';
import type { MarkedPrefix, PrefixMarks, Standing } from './contracts/prefixMarks.js';

type Place = {
  /**
   * The place stays the same after a restart, a failover and a copy of the files. It differs after a restored dump or a
   * copy in the cluster.
   */
  readonly place: string;
  /** The address differs for a copy of the files that runs on another machine. */
  readonly server: string;
};

export function createPrefixMarks(dataSource: DataSource): PrefixMarks {
  return new PrefixMarksTable(dataSource);
}

class PrefixMarksTable implements PrefixMarks {
  constructor(private readonly dataSource: DataSource) {}

  async standing(watchMs: number): Promise<Standing> {
    const { place, server } = await registeredPlace(this.dataSource);
    const [row] = await this.dataSource.query<{ at_home: boolean; until: Date | null }[]>(
      `SELECT home.place = $1 AS at_home,
         CASE WHEN since + $3 * interval '1 millisecond' > clock_timestamp()
           THEN since + $3 * interval '1 millisecond' END AS until
       FROM installation_home home, installation_servers WHERE server = $2`,
      [place, server, watchMs],
    );
    if (row?.at_home !== true) return { kind: 'COPY' };
    return row.until === null ? { kind: 'OWN' } : { kind: 'WATCHING', until: row.until };
  }

  async knows(mark: string): Promise<boolean> {
    if (!isMark.test(mark)) return false;
    const rows = await this.dataSource.query<unknown[]>(
      `SELECT FROM prefix_marks, installation_home
       WHERE $1 IN (mark, next_mark, previous_mark) AND coalesce(renewed_at, '-infinity') >= adopted_at LIMIT 1`,
      [mark],
    );
    return rows.length > 0;
  }

  async writerOf(mark: string): Promise<string | undefined> {
    if (!isMark.test(mark)) return undefined;
    const [row] = await this.dataSource.query<{ file_endpoint_id: string }[]>(
      'SELECT file_endpoint_id FROM prefix_marks WHERE $1 IN (mark, next_mark, previous_mark) LIMIT 1',
      [mark],
    );
    return row?.file_endpoint_id;
  }

  async next({ fileEndpointId, prefix, since }: Parameters<PrefixMarks['next']>[0]) {
    const [row] = await this.dataSource.query<[{ next_mark: string; takes_over: boolean }]>(
      `INSERT INTO prefix_marks (file_endpoint_id, prefix, next_mark) VALUES ($1, $2, $3)
       ON CONFLICT (file_endpoint_id, prefix) DO UPDATE SET next_mark = coalesce(prefix_marks.next_mark, $3)
       RETURNING next_mark, (
         SELECT adopted_at > least(coalesce(prefix_marks.renewed_at, $4), clock_timestamp() - interval '1 hour')
         FROM installation_home
       ) AS takes_over`,
      [fileEndpointId, prefix, randomUUID(), since],
    );
    return { mark: row.next_mark, takesOver: row.takes_over };
  }

  async confirm({ fileEndpointId, prefix }: MarkedPrefix, mark: string): Promise<void> {
    await this.dataSource.query(
      `UPDATE prefix_marks
       SET previous_mark = mark, mark = next_mark, next_mark = NULL, renewed_at = clock_timestamp()
       WHERE file_endpoint_id = $1 AND prefix = $2 AND next_mark = $3`,
      [fileEndpointId, prefix, mark],
    );
  }

  async adopt(): Promise<void> {
    const { place, server } = await registeredPlace(this.dataSource);
    // The original may also know the mark that was pending when the copy was made.
    await this.dataSource.query('UPDATE prefix_marks SET next_mark = NULL');
    await this.dataSource.query('UPDATE installation_home SET place = $1, adopted_at = clock_timestamp()', [place]);
    await this.dataSource.query("UPDATE installation_servers SET since = '-infinity' WHERE server = $1", [server]);
  }
}

/** A mark is a UUID. Whoever may write to a container may have written anything else into its marker. */
const isMark = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The place of the database. The first call on an installation registers its place as the home. */
async function registeredPlace(dataSource: DataSource): Promise<Place> {
  const found = await placeOf(dataSource);
  await dataSource.query('INSERT INTO installation_home (place) VALUES ($1) ON CONFLICT DO NOTHING', [found.place]);
  await dataSource.query(
    `INSERT INTO installation_servers (server, since)
     SELECT $1, CASE WHEN EXISTS (SELECT FROM installation_servers) THEN clock_timestamp() ELSE '-infinity' END
     ON CONFLICT DO NOTHING`,
    [found.server],
  );
  return found;
}

async function placeOf(dataSource: DataSource): Promise<Place> {
  const [row] = await dataSource.query<[{ database: string; address: string | null; may_ask: boolean }]>(
    `SELECT (SELECT oid FROM pg_database WHERE datname = current_database())::text AS database,
       host(inet_server_addr()) || ':' || inet_server_port() AS address,
       has_function_privilege('pg_control_system()', 'EXECUTE') AS may_ask`,
  );
  const [cluster] = row.may_ask
    ? await dataSource.query<[{ id: string }]>('SELECT system_identifier::text AS id FROM pg_control_system()')
    : [{ id: 'unknown' }];
  const { address } = row;
  // The address of a local server is the same on every machine.
  const isLocal = address === null || /^(127\.|::1:)/.test(address);
  return {
    place: `${cluster.id}/${row.database}`,
    server: isLocal ? `${hostname()} ${address ?? 'socket'}` : address,
  };
}
