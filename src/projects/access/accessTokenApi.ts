import { randomBytes, randomUUID } from 'node:crypto';
import type { EntityManager } from 'typeorm';
import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Resolver, Root } from 'type-graphql';
import { tokenDigest } from '../../server/authenticate.js';
import { Call } from '../../server/call.js';
import { commandRequest } from '../../server/commandRequest.js';
import { entityName, InputProblems, uuid, type Rule } from '../../server/inputValidation.js';
import { authorizedRow } from '../../server/lookup.js';
import { loadKnown } from '../../server/loadKnown.js';
import { newestFirst } from '../../server/newestFirst.js';
import { PageArguments, pageRequest, type Page } from '../../server/page.js';
import type { RequestContext } from '../../server/requestContext.js';
import { Requires, type OperationCall } from '../../server/requires.js';
import { DateTime } from '../../server/scalars/dateTime.js';
import { selectPage } from '../../server/selectPage.js';
import type { Viewer } from '../../server/viewer.js';
import { visibleInProject } from '../../server/visibleRows.js';
import { findProjects } from '../projectQueries.js';
import { ProjectType } from '../projectType.js';
import { accessToken } from './accessToken.js';
import { authorizedScope } from './accessScope.js';
import { tokenPrefix } from './accessTokenSignIn.js';
import {
  AccessTokenConnection,
  AccessTokenInput,
  AccessTokenType,
  CreateAccessTokenPayload,
} from './accessTokenType.js';
import { accessTokenLookup, AccessTokenTable } from './accessTokenView.js';
import type { AccessDependencies } from './memberApi.js';

/** Access tokens: created, shown once, revoked and listed. */
@Resolver()
export class AccessTokenResolver {
  constructor(private readonly tools: AccessDependencies) {}

  @Mutation(() => CreateAccessTokenPayload)
  @Requires('ADMIN')
  async createAccessToken(
    @Arg('input', () => AccessTokenInput) input: AccessTokenInput,
    @Arg('commandId', () => ID, { nullable: true }) commandId: string | null | undefined,
    @Call() call: OperationCall,
  ): Promise<CreateAccessTokenPayload> {
    const { dataSource, projectOfService, commands, now } = this.tools;
    const { manager } = dataSource;
    const { projectId, serviceId } = await authorizedScope({ manager, projectOfService }, call, input);
    const longest = await endOfToken(manager, call.context.viewer);
    new InputProblems()
      .check('input.name', input.name, entityName)
      .check('input.expiresAt', input.expiresAt, after(now()))
      .check('input.expiresAt', input.expiresAt, notAfter(longest))
      .check('commandId', commandId, uuid)
      .throwIfAny();
    const request = commandRequest(call.context, { operation: 'createAccessToken', projectId, input, commandId });
    // A repeated command does not run `work`, and the token of the first one is not stored anywhere.
    let token: string | null = null;
    const { id } = await commands.handle<{ id: string }>(request, (commit) =>
      commit(async (tx) => {
        const created = randomUUID();
        token = `${tokenPrefix}${randomBytes(32).toString('base64url')}`;
        const { name, role } = input;
        const expiresAt = input.expiresAt ?? longest;
        const content = { name, role, serviceId, expiresAt: expiresAt?.toISOString() ?? null };
        const at = now().toISOString();
        await tx.execute(accessToken, { id: created, projectId }, { kind: 'CREATE', content, at });
        await tx.manager.query('INSERT INTO access_token_hashes (hash, token_id) VALUES ($1, $2)', [
          tokenDigest(token),
          created,
        ]);
        return { id: created };
      }),
    );
    return { accessToken: await this.answer(id), token };
  }

  @Mutation(() => AccessTokenType, {
    description: 'The token is refused at once. Its open WebSockets are closed within 5 seconds. Idempotent.',
  })
  @Requires('ADMIN')
  async revokeAccessToken(
    @Arg('id', () => ID) id: string,
    @Arg('commandId', () => ID, { nullable: true }) commandId: string | null | undefined,
    @Call() call: OperationCall,
  ): Promise<AccessTokenType> {
    const { commands, dataSource, now } = this.tools;
    const row = await authorizedRow(call, dataSource.manager, accessTokenLookup, id);
    new InputProblems().check('commandId', commandId, uuid).throwIfAny();
    const { projectId } = row;
    const input = { id: row.id };
    const request = commandRequest(call.context, { operation: 'revokeAccessToken', projectId, input, commandId });
    await commands.handle<{ id: string }>(request, (commit) =>
      commit(async (tx) => {
        const at = now().toISOString();
        await tx.execute(accessToken, { id: row.id, projectId }, { kind: 'REVOKE', at });
        await tx.manager.query('DELETE FROM access_token_hashes WHERE token_id = $1', [row.id]);
        return input;
      }),
    );
    return this.answer(row.id);
  }

  private async answer(id: string): Promise<AccessTokenType> {
    return AccessTokenType.of(await this.tools.dataSource.manager.findOneByOrFail(AccessTokenTable, { id }));
  }
}

@Resolver(() => AccessTokenType)
export class AccessTokenFieldsResolver {
  constructor(private readonly tools: AccessDependencies) {}

  private readonly projects = (ids: readonly string[]) => findProjects(this.tools.dataSource.manager, ids);
  private readonly uses = (ids: readonly string[]) => lastUses(this.tools.dataSource.manager, ids);

  @FieldResolver(() => ProjectType)
  async project(@Root() { row }: AccessTokenType, @Ctx() context: RequestContext): Promise<ProjectType> {
    return ProjectType.of(await loadKnown(context, this.projects, row.projectId, 'project'));
  }

  @FieldResolver(() => DateTime, { nullable: true, description: 'Exact to a minute. Null: never.' })
  lastUsedAt(@Root() { id }: AccessTokenType, @Ctx() { loaders }: RequestContext): Promise<Date | null> {
    return loaders.of(this.uses).load(id);
  }
}

@Resolver(() => ProjectType)
export class ProjectTokensResolver {
  constructor(private readonly tools: AccessDependencies) {}

  @FieldResolver(() => AccessTokenConnection, { description: 'Newest first, with revoked and expired tokens.' })
  accessTokens(
    @Root() { id }: ProjectType,
    @Args(() => PageArguments) page: PageArguments,
    @Ctx() { viewer }: RequestContext,
  ): Promise<Page<AccessTokenType>> {
    return selectPage(this.tools.dataSource.manager, pageRequest(page, 'createdAt'), {
      table: AccessTokenTable,
      where: [['row.project_id = :id', { id }], visibleInProject(viewer, id, 'row.service_id')],
      by: newestFirst('createdAt'),
      nodeOf: (row) => AccessTokenType.of(row),
    });
  }
}

/** The batch of a loader. */
async function lastUses(manager: EntityManager, ids: readonly string[]): Promise<readonly (Date | null)[]> {
  const rows = await manager.query<{ token_id: string; last_used_at: Date }[]>(
    'SELECT token_id, last_used_at FROM access_token_uses WHERE token_id = ANY($1::uuid[])',
    [ids],
  );
  const byId = new Map(rows.map((row) => [row.token_id, row.last_used_at]));
  return ids.map((id) => byId.get(id) ?? null);
}

function after(now: Date): Rule<Date> {
  return (time) =>
    time > now ? undefined : { problem: 'is in the past', hint: 'Send a time in the future, or omit it.' };
}

/** When the token of the caller expires. Null: it does not, or the caller has no access token. */
async function endOfToken(manager: EntityManager, { kind, sub }: Viewer): Promise<Date | null> {
  if (kind !== 'token') return null;
  return (await manager.findOneBy(AccessTokenTable, { id: sub }))?.expiresAt ?? null;
}

/** Whoever finds a token that expires must not get rights for longer with it. */
function notAfter(end: Date | null): Rule<Date> {
  return (time) =>
    end === null || time <= end
      ? undefined
      : {
          problem: 'is later than the end of the token that creates it',
          hint: `Send a time up to ${end.toISOString()}, or create the token as a person.`,
        };
}
