import { createDataSource } from '../../ormconfig.js';
import type { PrivateTargetsConfig } from '../config.js';
import type { Log } from '../log.js';
import { defaultHasPrivate, takePrivateOutOfDefault } from '../postgres/installation.js';
import { openDatabase } from './database.js';
import { findKeptTargets, type KeptTarget } from './keptTargets.js';

/**
 * `stowage private-targets`: prints the services and file endpoints that are allowed only because the installation is
 * older than `private`. With `refuse` it refuses them from now on. Running processes apply this after a restart.
 */
export async function privateTargets(
  config: PrivateTargetsConfig,
  log: Log,
  { refuse, print }: { readonly refuse: boolean; readonly print: (line: string) => void },
): Promise<void> {
  const dataSource = await openDatabase(config, 'stowage private-targets', log);
  try {
    const isKept = await defaultHasPrivate(dataSource);
    const kept = await findKeptTargets(dataSource, config.allowedTargets);
    for (const target of kept) print(lineOf(target));
    const allowed = isKept ? 'still allowed, because the installation is older than this rule' : 'refused';
    print(
      `Services and file endpoints in private networks that STOWAGE_ALLOWED_TARGETS does not allow: ${kept.length}.`,
    );
    if (kept.length > 0 && !refuse) print(`They are ${allowed}.`);
    if (!refuse) return;
    await takeOut(config);
    print('`default` no longer contains private networks. Restart every API and worker.');
  } finally {
    await dataSource.destroy();
  }
}

async function takeOut({ migrationDatabaseUrl }: PrivateTargetsConfig): Promise<void> {
  const owner = await createDataSource({ url: migrationDatabaseUrl.reveal(), poolSize: 1 }).initialize();
  await takePrivateOutOfDefault(owner).finally(() => owner.destroy());
}

function lineOf({ kind, id, projectId, name, host }: KeptTarget): string {
  return [kind.padEnd(13), id, host, `project ${projectId}`, JSON.stringify(name)].join('  ');
}
