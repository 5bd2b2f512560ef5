import { StowageError } from '../../../errors.js';
import { outsideText } from '../../../outsideText.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import type { Reply, RunCommand } from './reply.js';

/** What a server reports about itself. */
export type MongodbServer = {
  readonly version: string;
  /** For example 7.0. */
  readonly release: string;
  readonly kind: 'STANDALONE' | 'PRIMARY' | 'SECONDARY' | 'OTHER_MEMBER' | 'MONGOS';
  /** The name of the replica set. Null: it is no member of one. */
  readonly replicaSet: string | null;
  /** The host and port of the primary, as the replica set names it. Null: there is none now. */
  readonly primary: string | null;
  /** The time of the last write that this member has, in ms since 1970. Null: not reported. */
  readonly lastWriteMs: number | null;
};

const oldest = [4, 4] as const;

/** Throws TOOL_VERSION for a server that is too old. */
export async function readServer(connection: ServiceConnection, command: RunCommand): Promise<MongodbServer> {
  const build = await command('admin', { buildInfo: 1 });
  const version = outsideText(typeof build['version'] === 'string' ? build['version'] : '', 64);
  const [, major = '0', minor = '0'] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  if (Number(major) < oldest[0] || (Number(major) === oldest[0] && Number(minor) < oldest[1])) {
    throw new StowageError(
      'TOOL_VERSION',
      `The server at ${connection.host}:${connection.port} is MongoDB ${version || 'of an unknown version'}, and Stowage supports only 4.4 and later.`,
      { help: 'Upgrade the server to MongoDB 4.4 or later.', details: { version } },
    );
  }
  // Servers before 4.4.2 know only the old name of the command.
  const hello = await command('admin', { hello: 1 }).catch(() => command('admin', { isMaster: 1 }));
  return {
    ...{ version, release: `${major}.${minor}`, kind: kindOf(hello) },
    replicaSet: textIn(hello, 'setName'),
    primary: textIn(hello, 'primary'),
    lastWriteMs: lastWriteOf(hello),
  };
}

function kindOf(hello: Reply): MongodbServer['kind'] {
  if (hello['msg'] === 'isdbgrid') return 'MONGOS';
  if (textIn(hello, 'setName') === null) return 'STANDALONE';
  if (hello['isWritablePrimary'] === true || hello['ismaster'] === true) return 'PRIMARY';
  return hello['secondary'] === true ? 'SECONDARY' : 'OTHER_MEMBER';
}

/** A date is `{"$date": "…"}` in Extended JSON. */
function lastWriteOf(hello: Reply): number | null {
  const date = /"lastWriteDate":\{"\$date":"([^"]+)"/.exec(JSON.stringify(hello['lastWrite'] ?? null))?.[1];
  const ms = date === undefined ? NaN : Date.parse(date);
  return Number.isFinite(ms) ? ms : null;
}

function textIn(hello: Reply, field: string): string | null {
  const value = hello[field];
  return typeof value === 'string' && value !== '' ? outsideText(value, 253) : null;
}
