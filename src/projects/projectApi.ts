import { randomUUID } from 'node:crypto';
import { Arg, Args, Ctx, Field, FieldResolver, ID, Mutation, ObjectType, Query, Resolver, Root } from 'type-graphql';
import { commandRequest } from '../server/commandRequest.js';
import { entityName, InputProblems, uuid } from '../server/inputValidation.js';
import type { NodeSource } from '../server/nodeApi.js';
import { newestFirst } from '../server/newestFirst.js';
import { PageArguments, pageRequest, type Page } from '../server/page.js';
import type { RequestContext } from '../server/requestContext.js';
import { Requires } from '../server/requires.js';
import { selectPage } from '../server/selectPage.js';
import type { Role } from '../server/viewer.js';
import { AccessTokenFieldsResolver, AccessTokenResolver, ProjectTokensResolver } from './access/accessTokenApi.js';
import { MemberResolver, ProjectMembersResolver, type AccessDependencies } from './access/memberApi.js';
import { MembershipType } from './access/membershipType.js';
import { project } from './project.js';
import { findProject, findProjects } from './projectQueries.js';
import { ProjectActionEnum, ProjectConnection, ProjectType, RoleEnum } from './projectType.js';
import { ProjectTable } from './projectView.js';

@ObjectType('Viewer')
export class ViewerType {
  @Field(() => String, { description: 'The actor in events.' })
  readonly subject!: string;

  @Field(() => String, {
    description: 'The issuer of the sign-in of a person. For access tokens and the installation-level token: stowage.',
  })
  readonly issuer!: string;

  @Field(() => String, { nullable: true })
  readonly name!: string | null;
}

export type ProjectDependencies = AccessDependencies;

@Resolver()
export class ProjectResolver {
  constructor(private readonly tools: ProjectDependencies) {}

  @Query(() => ViewerType, { description: 'The owner of the token.' })
  @Requires('SIGNED_IN')
  me(@Ctx() context: RequestContext): ViewerType {
    const { subject, issuer, name } = context.viewer;
    return { subject, issuer, name };
  }

  @Query(() => ProjectType, { nullable: true })
  @Requires('VIEWER')
  async project(@Arg('id', () => ID) id: string, @Ctx() context: RequestContext): Promise<ProjectType | null> {
    // A project that is not visible is not read at all, like one that does not exist.
    if (!context.viewer.sees(id)) return null;
    const row = await findProject(this.tools.dataSource.manager, id);
    return row && ProjectType.of(row);
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

  @FieldResolver(() => [MembershipType], {
    description: 'The first 200 roles of the viewer, by the names of the projects.',
  })
  async memberships(@Ctx() { viewer }: RequestContext): Promise<MembershipType[]> {
    const seen = viewer.seenProjectIds();
    const query = this.tools.dataSource.manager.createQueryBuilder(ProjectTable, 'row').orderBy('row.name').limit(200);
    if (seen !== 'ALL') query.where('row.id = ANY(:ids)', { ids: seen });
    const rows = await query.getMany();
    const { issuer, sub: subject, name, grants } = viewer;
    const memberships = rows.flatMap((row): MembershipType[] => {
      const project = ProjectType.of(row);
      const own =
        grants === 'ALL' ? [everything] : grants.filter(({ projectId }) => projectId.toLowerCase() === row.id);
      return own.map(({ serviceId, role }) => ({ project, serviceId, role, issuer, subject, name }));
    });
    return memberships.slice(0, 200);
  }
}

const everything = { serviceId: null, role: 'ADMIN' } as const;

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

export function projectNodes(tools: Pick<ProjectDependencies, 'dataSource'>): NodeSource {
  const batch = (ids: readonly string[]) => findProjects(tools.dataSource.manager, ids);
  return {
    async find(id, context) {
      if (!context.viewer.sees(id)) return null;
      const row = await context.loaders.of(batch).load(id);
      return row && ProjectType.of(row);
    },
  };
}

/** The composition calls this. Every slice has a function like this. */
export function projectResolvers(tools: ProjectDependencies): readonly object[] {
  return [
    new ProjectResolver(tools),
    new ViewerMembershipsResolver(tools),
    new ProjectRightsResolver(),
    new MemberResolver(tools),
    new ProjectMembersResolver(tools),
    new AccessTokenResolver(tools),
    new AccessTokenFieldsResolver(tools),
    new ProjectTokensResolver(tools),
  ];
}
