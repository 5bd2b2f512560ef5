import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as conversationsModule from '../../../src/engines/conversation/conversations.js';
import type { Engine } from '../../../src/engines/engine.js';
import type { Tools } from '../../../src/engines/process/tools.js';
import { Secret } from '../../../src/secret.js';
import { AttemptCount } from '../stranger.js';
import { startMutatingProxy } from './mutatingProxy.js';

/** The account of a real server. `username` null: the server knows no accounts. */
export type Login = { readonly port: number; readonly username: string | null; readonly password: string };

/** The modules of an engine below `engines`, and the name of the function that creates it. */
type EngineModules = { readonly engine: string; readonly creates: string; readonly driver: string };

const modules = {
  MARIADB: { engine: 'mariadb/mariadbEngine.js', creates: 'createMariadbEngine', driver: 'mariadb/mariadbDriver.js' },
  MYSQL: { engine: 'mysql/mysqlEngine.js', creates: 'createMysqlEngine', driver: 'mysql/mysqlDriver.js' },
  POSTGRESQL: {
    engine: 'postgresql/postgresqlEngine.js',
    creates: 'createPostgresqlEngine',
    driver: 'postgresql/session/postgresqlDriver.js',
  },
  MONGODB: {
    engine: 'mongodb/mongodbEngine.js',
    creates: 'createMongodbEngine',
    driver: 'mongodb/session/mongodbDriver.js',
  },
} as const satisfies Readonly<Record<string, EngineModules>>;

export type TestedEngine = keyof typeof modules;

type Conversations = conversationsModule.Conversations;

const atOnce = 24;
/** How many processes communicate with the servers. In production each server has a process of its own. */
const processes = 6;
/** A check of changed bytes often waits for an answer that never comes. */
const checkMs = 2_000;

/**
 * Checks a real server whose bytes are changed on the way, once for each seed, by the engine of the built program, in this
 * process. So the checks need no process each, and a short limit is enough. A failure that is a defect, and an exception that nobody handles, is a
 * problem. `onProgress` gets the number of checks that have ended.
 */
export async function checkChangedBytes(
  { main, name, tools }: { readonly main: string; readonly name: TestedEngine; readonly tools?: Tools },
  seeds: readonly number[],
  login: Login,
  onProgress: (done: number) => void,
): Promise<AttemptCount> {
  const count = new AttemptCount();
  const onUnhandled = (error: unknown) => count.problems.push(`Unhandled: ${String(error)}`);
  process.on('uncaughtException', onUnhandled);
  const { conversations, engine } = await openEngine(main, modules[name], tools);
  const unchanged = await checkCode(engine, login);
  if (unchanged !== 'OK') count.problems.push(`The check of the unchanged server failed: ${unchanged}.`);
  const waiting = [...seeds];
  const work = async (): Promise<void> => {
    for (let seed = waiting.shift(); seed !== undefined; seed = waiting.shift()) {
      const proxy = await startMutatingProxy(login.port, seed);
      const code = await checkCode(engine, { ...login, port: proxy.port });
      await proxy.stop();
      count.attempts += 1;
      count.refused(code);
      if (code === 'INTERNAL') count.problems.push(`A server that is changed with seed ${seed}: ${code}.`);
      onProgress(count.attempts);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  await conversations.close();
  process.off('uncaughtException', onUnhandled);
  return count;
}

async function openEngine(main: string, { engine, creates, driver }: EngineModules, tools?: Tools) {
  const engines = join(dirname(main), 'engines');
  const load = async (module: string): Promise<unknown> => import(join(engines, module));
  const { createConversations } = (await load('conversation/conversations.js')) as typeof conversationsModule;
  const created = ((await load(engine)) as Readonly<Record<string, CreateEngine>>)[creates];
  if (created === undefined) throw new Error(`${engine} has no ${creates}.`);
  const conversations = createConversations(pathToFileURL(join(engines, driver)));
  const options = { conversations: inFewProcesses(conversations), ...(tools === undefined ? {} : { tools }) };
  return { conversations, engine: created(options) };
}

type CreateEngine = (options: { readonly conversations: Conversations; readonly tools?: Tools }) => Engine;

/** The code of the failed step, or `OK`. */
async function checkCode(engine: Engine, { port, username, password }: Login): Promise<string> {
  const connection = {
    ...{
      host: '127.0.0.1',
      port,
      username,
      password: username === null ? null : new Secret(password),
      authSource: null,
      databases: null,
    },
    tls: { mode: 'OFF', ca: null } as const,
  };
  const steps = await engine.check(connection, { signal: new AbortController().signal, timeoutMs: checkMs });
  return steps.find(({ status }) => status === 'FAILED')?.code ?? 'OK';
}

function inFewProcesses(conversations: Conversations): Conversations {
  let connections = 0;
  return {
    close: () => conversations.close(),
    connect: (_login, address, port, limits) => {
      connections += 1;
      return conversations.connect(String(connections % processes), address, port, limits);
    },
  };
}
