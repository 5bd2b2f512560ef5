import { randomUUID } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { Arg, Args, Ctx, Field, FieldResolver, ID, Mutation, ObjectType, Query, Resolver, Root } from 'type-graphql';
import type { CommandHandling } from '../eventSourcing/commandHandling.js';
import { commandRequest } from '../server/commandRequest.js';
import { entityName, InputProblems, uuid } from '../server/inputValidation.js';
import type { NodeSource } from '../server/nodeApi.js';
import { newestFirst } from '../server/newestFirst.js';
import { PageArguments, pageRequest, type Page } from '../server/page.js';
import type { RequestContext } from '../server/requestContext.js';
import { Requires } from '../server/requires.js';
import { roleAtProject } from '../server/scope.js';
import { selectPage } from '../server/selectPage.js';
import type { Role } from '../server/viewer.js';
import { AccessResolver, ProjectTokensResolver } from './accessApi.js';
import { project } from './project.js';
import { findProject, findProjects } from './projectQueries.js';
import { ProjectActionEnum, ProjectConnection, ProjectType, RoleEnum } from './projectType.js';
import { ProjectTable, type ProjectRow } from './projectView.js';

@ObjectType('Membership')
export class MembershipType {
  @Field(() => ProjectType)
  readonly project!: ProjectType;

  @Field(() => RoleEnum)
  readonly role!: Role;
}

@ObjectType('Viewer')
export class ViewerType {
  @Field(() => String)
  readonly subject!: string;

  @Field(() => String, { nullable: true })
  readonly name!: string | null;
}

export type ProjectDependencies = {
  readonly dataSource: DataSource;
  readonly commands: CommandHandling;
  readonly now: () => Date;
};

@Resolver()
export class ProjectResolver {
  constructor(private readonly tools: ProjectDependencies) {}

  @Query(() => ViewerType, { description: 'The owner of the token.' })
  @Requires('SIGNED_IN')
  me(@Ctx() context: RequestContext): ViewerType {
    return { subject: context.viewer.subject, name: context.viewer.name };
  }

  @Query(() => ProjectType, { nullable: true })
  @Requires('VIEWER')
  async project(@Arg('id', () => ID) id: string, @Ctx() context: RequestContext): Promise<ProjectType | null> {
    const row = await findProject(this.tools.dataSource.manager, id);
    return visibleProject(context, row);
  }

  @Query(() => ProjectConnection)
  @Requires('VIEWER')
  projects(
    @Args(() => PageArguments) page: PageArguments,
    @Arg('search', () => String, { nullable: true, description: 'A part of the name. Letter case is ignored.' })
    search: string | null | undefined,
    @Ctx() context: RequestContext,
  ): Promise<Page<ProjectType>> {
    return this.list(page, context.viewer.seenProjectIds(), search ?? '');
  }

  @Mutation(() => ProjectType)
  @Requires('INSTALLATION')
  async createProject(
    @Arg('name', () => String) name: string,
    @Arg('commandId', () => ID, { nullable: true }) commandId: string | null | undefined,
    @Ctx() context: RequestContext,
  ): Promise<ProjectType> {
    new InputProblems().check('name', name, entityName).check('commandId', commandId, uuid).throwIfAny();
    const request = commandRequest(context, {
      operation: 'createProject',
      projectId: null,
      input: { name },
      commandId,
    });
    const { id } = await this.tools.commands.handle<{ id: string }>(request, (commit) =>
      commit(async (tx) => {
        const id = randomUUID();
        await tx.execute(project, { id, projectId: id }, { kind: 'CREATE', name, at: this.tools.now().toISOString() });
        return { id };
      }),
    );
    return ProjectType.of(await this.tools.dataSource.manager.findOneByOrFail(ProjectTable, { id }));
  }

  private list(page: PageArguments, visible: 'ALL' | readonly string[], search = '') {
    return selectPage(this.tools.dataSource.manager, pageRequest(page, 'createdAt'), {
      table: ProjectTable,
      where: [
        visible === 'ALL' ? undefined : ['row.id = ANY(:ids)', { ids: visible }],
        search === '' ? undefined : ['row.name ILIKE :search', { search: `%${search.replace(/[\\%_]/g, '\\$&')}%` }],
      ],
      by: newestFirst('createdAt'),
      nodeOf: (row) => ProjectType.of(row),
    });
  }
}

@Resolver(() => ViewerType)
export class ViewerMembershipsResolver {
  constructor(private readonly tools: ProjectDependencies) {}

  @FieldResolver(() => [MembershipType], { description: 'The first 200 projects that the viewer has a role in.' })
  async memberships(@Ctx() context: RequestContext): Promise<MembershipType[]> {
    const visible = context.viewer.projectIds();
    const query = this.tools.dataSource.manager.createQueryBuilder(ProjectTable, 'row').orderBy('row.name').limit(200);
    if (visible !== 'ALL') query.where('row.id = ANY(:ids)', { ids: visible });
    const rows = await query.getMany();
    return rows.flatMap((row) => {
      const role = context.viewer.roleIn(row.id);
      return role === undefined ? [] : [{ project: ProjectType.of(row), role }];
    });
  }
}

@Resolver(() => ProjectType)
export class ProjectRightsResolver {
  @FieldResolver(() => RoleEnum, {
    nullable: true,
    description: 'The role of the viewer in the whole project. Null: the viewer has roles only in services of it.',
  })
  viewerRole(@Root() { id }: ProjectType, @Ctx() context: RequestContext): Role | null {
    return context.viewer.roleIn(id) ?? null;
  }

  @FieldResolver(() => [ProjectActionEnum], { description: 'The actions that the role of the viewer allows.' })
  viewerActions(@Root() { id }: ProjectType, @Ctx() context: RequestContext): string[] {
    switch (context.viewer.roleIn(id)) {
      case 'ADMIN':
        return ['UPDATE', 'MANAGE_ACCESS', 'CREATE'];
      case 'OPERATOR':
      case 'VIEWER':
      case undefined:
        return [];
    }
  }
}

function visibleProject({ viewer }: RequestContext, row: ProjectRow | null): ProjectType | null {
  return row !== null && roleAtProject(viewer, row.id) !== undefined ? ProjectType.of(row) : null;
}

export function projectNodes(tools: Pick<ProjectDependencies, 'dataSource'>): NodeSource {
  const batch = (ids: readonly string[]) => findProjects(tools.dataSource.manager, ids);
  return {
    async find(id, context) {
      const row = await context.loaders.of(batch).load(id);
      return visibleProject(context, row);
    },
  };
}

/** The composition calls this. Every slice has a function like this. */
export function projectResolvers(tools: ProjectDependencies): readonly object[] {
  return [
    new ProjectResolver(tools),
    new ViewerMembershipsResolver(tools),
    new ProjectRightsResolver(),
    new AccessResolver(),
    new ProjectTokensResolver(),
  ];
}
