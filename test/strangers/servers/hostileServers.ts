import { join } from 'node:path';
import type { Tools } from '../../../src/engines/process/tools.js';
import { mariadbMissing, startMariadb } from '../../fixtures/servers/mariadb.js';
import { mysqlHome, mysqlMissing, startMysql } from '../../fixtures/servers/mysql.js';
import { postgresVersionsMissing, startPostgresServer } from '../../fixtures/servers/postgresVersions.js';
import { AttemptCount, type StrangersGround, type StrangersGroup } from '../stranger.js';
import { checkChangedBytes, type Login as ChangedLogin, type TestedEngine } from './changedBytes.js';
import { behaviours, startHostileMariadb } from './hostileMariadb.js';
import { mongodbBehaviours, startHostileMongodb } from './hostileMongodb.js';
import { postgresqlBehaviours, startHostilePostgresql } from './hostilePostgresql.js';
import type { HostileServer } from './hostileServer.js';
import { startMutatingProxy } from './mutatingProxy.js';

type Login = { readonly engine: string; readonly username: string | null; readonly password: string };

/** How many checks run at once. */
const atOnce = 8;

/** A check of a service at each of these servers. Every check must fail, and not because of a defect of Stowage. */
async function checkAll(
  ground: StrangersGround,
  servers: readonly { readonly name: string; readonly start: () => Promise<HostileServer> }[],
  login: Login,
): Promise<AttemptCount> {
  const count = new AttemptCount();
  const waiting = [...servers];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const server = await next.start();
      try {
        const code = await checkFails(ground, server.port, login);
        count.attempts += 1;
        count.refused(code);
        if (code === 'INTERNAL' || /^5/.test(code)) count.problems.push(`A server that ${next.name}: ${code}.`);
      } finally {
        await server.stop();
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return count;
}

/** The code of the failed step, `OK`, or the unexpected answer of the API. */
async function checkFails({ url, token, ids }: StrangersGround, port: number, login: Login): Promise<string> {
  const query = 'mutation ($input: ServiceInput!) { validateService(input: $input) { ok steps { code } } }';
  const input = {
    projectId: ids.projectIds[0],
    name: 'stranger',
    ...{ host: '127.0.0.1', port, engine: login.engine, username: login.username, password: login.password },
  };
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables: { input } }),
  });
  const answer = (await response.json()) as {
    readonly data?: {
      readonly validateService: { readonly steps: readonly { readonly code: string | null }[] };
    } | null;
    readonly errors?: readonly { readonly extensions?: { readonly code?: string } }[];
  };
  const failure = answer.data?.validateService.steps.find(({ code }) => code !== null)?.code;
  return failure ?? answer.errors?.[0]?.extensions?.code ?? (response.ok ? 'OK' : String(response.status));
}

function hostile<Behaviour extends { readonly name: string }>(
  engine: string,
  all: readonly Behaviour[],
  start: (behaviour: Behaviour) => Promise<HostileServer>,
): StrangersGroup {
  return {
    name: `hostile database servers: ${engine}`,
    run: (ground) => {
      const chosen = ground.all ? all : all.filter((_, index) => index % 4 === ground.seed % 4);
      const servers = chosen.map((behaviour) => ({ name: behaviour.name, start: () => start(behaviour) }));
      return checkAll(ground, servers, { engine, username: 'backup', password: 'p' });
    },
  };
}

/** A real server whose bytes are changed on the way. A part of the checks goes through the API. */
function changed(
  engine: TestedEngine,
  missing: string | undefined,
  start: () => Promise<ChangedLogin & { stop(): Promise<void> }>,
  tools?: Tools,
): StrangersGroup {
  return {
    ...{ name: `a database server with changed bytes: ${engine}`, missing },
    run: async (ground) => {
      const server = await start();
      const seeds = Array.from({ length: ground.all ? 1_000 : 20 }, (_, index) => ground.seed * 10_000 + index);
      const throughApi = seeds.filter((_, index) => index % 20 === 0);
      const proxies = throughApi.map((seed) => ({
        name: `is changed with seed ${seed}`,
        start: () => startMutatingProxy(server.port, seed),
      }));
      try {
        const count = await checkAll(ground, proxies, { ...server, engine });
        const rest = seeds.filter((seed) => !throughApi.includes(seed));
        const onProgress = (done: number) => {
          if (done % 100 === 0) console.log(`${done + count.attempts} of ${seeds.length} servers are checked.`);
        };
        const inThisProcess = await checkChangedBytes(
          { main: ground.main, name: engine, ...(tools === undefined ? {} : { tools }) },
          rest,
          server,
          onProgress,
        );
        count.addAll(inThisProcess);
        return count;
      } finally {
        await server.stop();
      }
    },
  };
}

/** Checks of services with a hostile server, and of a real server whose bytes are changed on the way. */
export const hostileServers: readonly StrangersGroup[] = [
  hostile('MARIADB', behaviours, startHostileMariadb),
  hostile('MYSQL', behaviours, (behaviour) => startHostileMariadb(behaviour, '8.0.36')),
  hostile('POSTGRESQL', postgresqlBehaviours, startHostilePostgresql),
  hostile('MONGODB', mongodbBehaviours, startHostileMongodb),
  changed('MARIADB', mariadbMissing, () => startMariadb(['--max-connect-errors=1000000', '--max-connections=1000'])),
  changed('MYSQL', mysqlMissing, () => startMysql(['--max-connect-errors=1000000', '--max-connections=1000']), {
    folders: [join(mysqlHome, 'bin')],
  }),
  changed('POSTGRESQL', postgresVersionsMissing, () => startPostgresServer('15', ['max_connections=1000'])),
];
