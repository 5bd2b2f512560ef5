import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { hostList } from '../engines/hostList.js';
import type { DataSource } from 'typeorm';
import type { Log } from '../log.js';
import type { AllowedTargets } from '../storage/allowedTargets.js';

/** A service or a file endpoint that is reachable only because the installation is older than `private`. */
export type KeptTarget = {
  readonly kind: 'SERVICE' | 'FILE_ENDPOINT';
  readonly id: string;
  readonly projectId: string;
  readonly name: string;
  /** The first of its hosts that would be refused. */
  readonly host: string;
};

type TargetRow = {
  readonly kind: KeptTarget['kind'];
  readonly id: string;
  readonly project_id: string;
  readonly name: string;
  readonly host: string | null;
  readonly settings: unknown;
};

const lookupsAtOnce = 20;

/**
 * The services and file endpoints that these targets refuse and that the same targets with private networks allow.
 * Names are resolved on this machine. A name that cannot be resolved is omitted, because nothing can be reached there.
 */
export async function findKeptTargets(
  dataSource: Pick<DataSource, 'query'>,
  targets: AllowedTargets,
): Promise<readonly KeptTarget[]> {
  const rows = await dataSource.query<TargetRow[]>(
    `SELECT 'SERVICE' AS kind, id, project_id, name, host, NULL::jsonb AS settings FROM services WHERE removed_at IS NULL
     UNION ALL
     SELECT 'FILE_ENDPOINT', id, project_id, name, NULL, settings FROM file_endpoints WHERE removed_at IS NULL
     ORDER BY project_id, name, id`,
  );
  const hostsOf = (row: TargetRow) =>
    row.host === null ? hostsIn(row.settings) : hostList(row.host).map(({ host }) => host);
  const addresses = await resolveAll(new Set(rows.flatMap(hostsOf)));
  const before = targets.withPrivateByDefault();
  return rows.flatMap((row) => {
    const host = hostsOf(row).find((each) =>
      (addresses.get(each) ?? []).some(
        (address) => !targets.allowsHost(each, address) && before.allowsHost(each, address),
      ),
    );
    const { kind, id, project_id: projectId, name } = row;
    return host === undefined ? [] : [{ kind, id, projectId, name, host }];
  });
}

/** Logs them once. Never rejects. */
export async function warnOfKeptTargets(
  dataSource: Pick<DataSource, 'query'>,
  targets: AllowedTargets,
  log: Log,
): Promise<void> {
  try {
    const kept = await findKeptTargets(dataSource, targets);
    if (kept.length === 0) return;
    const shown = kept.slice(0, 50).map(({ kind, id, name, host }) => ({ kind, id, name, host }));
    log.warn({ count: kept.length, targets: shown }, keptTargetsAdvice);
  } catch (error) {
    log.warn({ err: error }, 'The services and file endpoints in private networks could not be listed.');
  }
}

export const keptTargetsAdvice =
  'Services or file endpoints are in private networks, which are no longer part of `default` in STOWAGE_ALLOWED_TARGETS. They stay allowed because this installation is older. To decide, add their networks, their names or `private` to STOWAGE_ALLOWED_TARGETS of every API and worker. Then run: stowage private-targets --refuse';

async function resolveAll(hosts: ReadonlySet<string>): Promise<ReadonlyMap<string, readonly string[]>> {
  const resolved = new Map<string, readonly string[]>();
  const left = hosts.values();
  const resolveNext = async (): Promise<void> => {
    for (const host of left) {
      const found = isIP(host) === 0 ? await lookup(host, { all: true }).catch(() => []) : [{ address: host }];
      resolved.set(
        host,
        found.map(({ address }) => address),
      );
    }
  };
  await Promise.all(Array.from({ length: lookupsAtOnce }, resolveNext));
  return resolved;
}

/** The hosts of all http and https URLs in the settings of an endpoint of any kind. */
function hostsIn(settings: unknown): readonly string[] {
  if (typeof settings === 'object' && settings !== null) return Object.values(settings).flatMap(hostsIn);
  if (typeof settings !== 'string' || !/^https?:\/\//.test(settings) || !URL.canParse(settings)) return [];
  return [new URL(settings).hostname.replace(/^\[|\]$/g, '')];
}
