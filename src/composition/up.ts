import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { UpConfig } from '../config.js';
import type { Log } from '../log.js';
import { startEmbeddedPostgres } from '../postgres/embedded/embeddedPostgres.js';
import { Secret } from '../secret.js';
import { createOneTimeLinks } from '../signIn/oneTimeLinks.js';
import { linkOf } from '../signIn/signInApi.js';
import type { Running } from '../untilStopped.js';
import { startApi } from './apiRole.js';
import { Closing } from './closing.js';
import { keptAdminToken, keptMasterKeys, makeDataFolder } from './dataFolder.js';
import type { DatabaseUrls } from './database.js';
import { openShared } from './shared.js';
import { startWorkerRole } from './workerRole.js';

export type Database = { readonly urls: DatabaseUrls; readonly ended?: Promise<Error> };

/** `stowage up`: everything on one machine. Settings that are missing are generated once in the data folder. */
export async function startUp(config: UpConfig, log: Log): Promise<Running> {
  const closing = new Closing(log);
  return closing.guard(async () => {
    await makeDataFolder(config.dataFolder);
    await mkdir(config.filesystemRoot, { recursive: true, mode: 0o700 });
    const masterKeys = config.masterKeys ?? (await keptMasterKeys(config.dataFolder));
    const adminToken = config.adminToken ?? (await keptToken(config.dataFolder, log));
    const database = await openOwnOrGivenDatabase(config, log, closing);

    const shared = await openShared({ ...config, ...database.urls, masterKeys }, log, closing);
    await startWorkerRole(shared, config, log, closing);
    const url = await startApi(shared, { ...config, ...database.urls, adminToken, masterKeys }, log, closing);
    log.info(`Playground: ${url}/playground`);
    const { code } = await createOneTimeLinks(shared.dataSource).create();
    // On standard output and not in the log, because the link signs in whoever opens it first.
    process.stdout.write(
      `Sign in (once, within ten minutes; \`stowage sign-in\` prints another link): ${linkOf(config.publicUrl ?? url, code.reveal())}\n`,
    );
    return { stop: () => closing.close(), ...(database.ended === undefined ? {} : { broken: database.ended }) };
  });
}

/** The database of DATABASE_URL. If it is unset, starts the embedded server and returns its database. */
export async function openOwnOrGivenDatabase(
  config: Pick<UpConfig, 'databaseUrl' | 'migrationDatabaseUrl' | 'dataFolder'>,
  log: Log,
  closing: Closing,
): Promise<Database> {
  const { databaseUrl, migrationDatabaseUrl } = config;
  if (databaseUrl !== null) {
    return { urls: { databaseUrl, migrationDatabaseUrl: migrationDatabaseUrl ?? databaseUrl } };
  }
  const embedded = await startEmbeddedPostgres({
    folder: join(config.dataFolder, 'postgres'),
    onLog: (line) => log.debug(line),
  });
  closing.add('embedded PostgreSQL', () => embedded.stop());
  log.info(`PostgreSQL runs on the data in ${config.dataFolder}.`);
  return {
    urls: { databaseUrl: new Secret(embedded.appUrl), migrationDatabaseUrl: new Secret(embedded.ownerUrl) },
    ended: embedded.ended.then(() => new Error('The embedded PostgreSQL has ended.')),
  };
}

/** Prints a new token once, on standard output and not in the log, for the person who starts the installation. */
async function keptToken(dataFolder: string, log: Log): Promise<Secret> {
  const { token, path, isNew } = await keptAdminToken(dataFolder);
  if (isNew) process.stdout.write(`Admin token (shown once, stored in ${path}): ${token.reveal()}\n`);
  else log.info(`The admin token is in ${path}.`);
  return token;
}
