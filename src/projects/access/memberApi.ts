import type { DataSource } from 'typeorm';
import { Args, ArgsType, Ctx, Field, FieldResolver, ID, Mutation, Resolver, Root } from 'type-graphql';
import type { CommandHandling } from '../../eventSourcing/commandHandling.js';
import { Call } from '../../server/call.js';
import { commandRequest } from '../../server/commandRequest.js';
import { InputProblems, text, uuid } from '../../server/inputValidation.js';
import { newestFirst } from '../../server/newestFirst.js';
import { PageArguments, pageRequest, type Page } from '../../server/page.js';
import type { RequestContext } from '../../server/requestContext.js';
import { Requires, type OperationCall } from '../../server/requires.js';
import { selectPage } from '../../server/selectPage.js';
import type { Role } from '../../server/viewer.js';
import { visibleInProject } from '../../server/visibleRows.js';
import { ProjectType, RoleEnum } from '../projectType.js';
import { ProjectTable } from '../projectView.js';
import { authorizedScope, type ProjectOfService } from './accessScope.js';
import { members } from './members.js';
import { MembershipConnection, MembershipType } from './membershipType.js';
import { membersStreamId, MembershipTable } from './membershipView.js';

export type AccessDependencies = {
  readonly dataSource: DataSource;
  readonly commands: CommandHandling;
  readonly now: () => Date;
  readonly projectOfService: ProjectOfService;
};

@ArgsType()
class SetMemberArguments {
  @Field(() => ID)
  readonly projectId!: string;

  @Field(() => ID, {
    nullable: true,
    description: 'A service of the project, to which alone the role applies. Default: the whole project.',
  })
  readonly serviceId?: string | null;

  @Field(() => String, { description: 'The issuer of the sign-in, as in its discovery document.' })
  readonly issuer!: string;

  @Field(() => String, {
    description: "The issuer's `sub`, which never changes hands. Not a name or an e-mail address.",
  })
  readonly subject!: string;

  @Field(() => String, { nullable: true, description: 'For people. It identifies nobody.' })
  readonly name?: string | null;

  @Field(() => RoleEnum, { nullable: true })
  readonly role?: Role | null;

  @Field(() => ID, { nullable: true })
  readonly commandId?: string | null;
}

/** OpenID Connect Core 1.0, section 2: `sub` has at most 255 ASCII characters. */
const longestSubject = 255;
const longestIssuer = 1_000;

/** The members of projects and of services. */
@Resolver()
export class MemberResolver {
  constructor(private readonly tools: AccessDependencies) {}

  @Mutation(() => ProjectType, {
    description:
      'A null role removes the member. CONFLICT if no ADMIN of the whole project would be left; only the installation-level token may remove the last one.',
  })
  @Requires('ADMIN')
  async setMember(
    @Args(() => SetMemberArguments) { commandId, ...input }: SetMemberArguments,
    @Call() call: OperationCall,
  ): Promise<ProjectType> {
    const { dataSource, projectOfService, commands, now } = this.tools;
    const { manager } = dataSource;
    const { projectId, serviceId } = await authorizedScope({ manager, projectOfService }, call, input);
    new InputProblems()
      .check('issuer', input.issuer, text(1, longestIssuer))
      .check('subject', input.subject, text(1, longestSubject))
      .check('name', input.name, text(1, 100))
      .check('commandId', commandId, uuid)
      .throwIfAny();
    const request = commandRequest(call.context, { operation: 'setMember', projectId, input, commandId });
    await commands.handle<{ id: string }>(request, (commit) =>
      commit(async (tx) => {
        const { issuer, subject, name = null, role = null } = input;
        await tx.execute(
          members,
          { id: membersStreamId(projectId), projectId },
          {
            kind: 'SET',
            member: { issuer, sub: subject, serviceId },
            ...{ name, role },
            mayLeaveNoAdministrator: call.context.viewer.isInstallation,
            at: now().toISOString(),
          },
        );
        return { id: projectId };
      }),
    );
    return ProjectType.of(await manager.findOneByOrFail(ProjectTable, { id: projectId }));
  }
}

@Resolver(() => ProjectType)
export class ProjectMembersResolver {
  constructor(private readonly tools: AccessDependencies) {}

  @FieldResolver(() => MembershipConnection, {
    description:
      'Newest first. People whose roles come from elsewhere, for example from claims of their provider, are not listed.',
  })
  members(
    @Root() project: ProjectType,
    @Args(() => PageArguments) page: PageArguments,
    @Ctx() { viewer }: RequestContext,
  ): Promise<Page<MembershipType>> {
    const { id } = project;
    return selectPage(this.tools.dataSource.manager, pageRequest(page, 'createdAt'), {
      table: MembershipTable,
      where: [['row.project_id = :id', { id }], visibleInProject(viewer, id, 'row.service_id')],
      by: newestFirst('createdAt'),
      nodeOf: ({ serviceId, role, issuer, sub: subject, name }) => ({
        project,
        serviceId,
        role,
        issuer,
        subject,
        name,
      }),
    });
  }
}
