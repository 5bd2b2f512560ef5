import { Arg, Args, FieldResolver, ID, Mutation, Resolver } from 'type-graphql';
import { notYetAvailable } from '../errors.js';
import { PageArguments, type Page } from '../server/page.js';
import { Requires } from '../server/requires.js';
import type { Role } from '../server/viewer.js';
import { AccessTokenConnection, AccessTokenInput, AccessTokenType, CreateAccessTokenPayload } from './accessType.js';
import { ProjectType, RoleEnum } from './projectType.js';

/** Members and tokens of a project. The schema has their final form, but every operation is NOT_YET_AVAILABLE. */
@Resolver()
export class AccessResolver {
  @Mutation(() => ProjectType, { description: 'A null role removes the member.' })
  @Requires('ADMIN')
  setMember(
    @Arg('projectId', () => ID) _projectId: string,
    @Arg('subject', () => String) _subject: string,
    @Arg('role', () => RoleEnum, { nullable: true }) _role: Role | null | undefined,
    @Arg('commandId', () => ID, { nullable: true }) _commandId: string | null | undefined,
  ): ProjectType {
    throw notYetAvailable('Members are not built yet. Use the installation-level token, which allows everything.');
  }

  @Mutation(() => CreateAccessTokenPayload)
  @Requires('ADMIN')
  createAccessToken(
    @Arg('input', () => AccessTokenInput) _input: AccessTokenInput,
    @Arg('commandId', () => ID, { nullable: true }) _commandId: string | null | undefined,
  ): CreateAccessTokenPayload {
    throw noTokensYet();
  }

  @Mutation(() => AccessTokenType)
  @Requires('ADMIN')
  revokeAccessToken(
    @Arg('id', () => ID) _id: string,
    @Arg('commandId', () => ID, { nullable: true }) _commandId: string | null | undefined,
  ): AccessTokenType {
    throw noTokensYet();
  }
}

@Resolver(() => ProjectType)
export class ProjectTokensResolver {
  @FieldResolver(() => AccessTokenConnection)
  accessTokens(@Args(() => PageArguments) _page: PageArguments): Page<AccessTokenType> {
    throw noTokensYet();
  }
}

function noTokensYet() {
  return notYetAvailable('Access tokens are not built yet. Use the installation-level token, which allows everything.');
}
