import type { DataSource } from 'typeorm';
import { tokenDigest, type Authenticate } from '../../server/authenticate.js';
import { ownIssuer, viewerOf, type Role } from '../../server/viewer.js';

/** Access tokens begin with this, so that scanners of source code find them. */
export const tokenPrefix = 'stw_';

export type AccessTokenSignInTools = { readonly dataSource: DataSource; readonly now: () => Date };

type Found = {
  readonly id: string;
  readonly project_id: string;
  readonly service_id: string | null;
  readonly name: string;
  readonly role: Role;
  readonly expires_at: Date | null;
};

/** How exact the time of the last use is. */
const useMarkedEveryMs = 60_000;
/** From this number of tokens on, all are forgotten, so that their next uses are marked. */
const manyTokens = 10_000;

/** Accepts access tokens that are neither revoked nor expired. */
export function accessTokenSignIn({ dataSource, now }: AccessTokenSignInTools): Authenticate {
  const markedAt = new Map<string, number>();

  async function markUse(id: string): Promise<void> {
    const at = now();
    if (at.getTime() - (markedAt.get(id) ?? 0) < useMarkedEveryMs) return;
    if (markedAt.size >= manyTokens) markedAt.clear();
    markedAt.set(id, at.getTime());
    await dataSource.query(
      `INSERT INTO access_token_uses AS known (token_id, last_used_at) VALUES ($1, $2)
       ON CONFLICT (token_id) DO UPDATE SET last_used_at = greatest(known.last_used_at, EXCLUDED.last_used_at)`,
      [id, at],
    );
  }

  return async ({ kind, value }) => {
    if (kind !== 'BEARER' || !value.startsWith(tokenPrefix)) return undefined;
    const [found] = await dataSource.query<Found[]>(
      `SELECT token.id, token.project_id, token.service_id, token.name, token.role, token.expires_at
       FROM access_token_hashes JOIN access_tokens AS token ON token.id = access_token_hashes.token_id
       WHERE access_token_hashes.hash = $1 AND token.revoked_at IS NULL`,
      [tokenDigest(value)],
    );
    if (found === undefined || (found.expires_at !== null && found.expires_at <= now())) return undefined;
    await markUse(found.id);
    const { id, name, role, project_id: projectId, service_id: serviceId, expires_at: expiresAt } = found;
    const grants = [{ projectId, serviceId, role }];
    return { viewer: viewerOf({ kind: 'token', issuer: ownIssuer, sub: id, name, grants }), expiresAt };
  };
}
