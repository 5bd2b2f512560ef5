import type { GraphQLResolveInfo } from 'graphql';
import { Arg, Args, Ctx, FieldResolver, ID, Info, Int, Mutation, Query, Resolver, Root } from 'type-graphql';
import { notFound, notYetAvailable } from '../errors.js';
import { findProject, findProjects } from '../projects/projectQueries.js';
import { ProjectType } from '../projects/projectType.js';
import { CheckType } from '../server/checkType.js';
import { commandRequest } from '../server/commandRequest.js';
import { allowedActions, EntityActionEnum, type EntityAction } from '../server/entityActions.js';
import { InputProblems, refuseNulls, uuid } from '../server/inputValidation.js';
import type { NodeSource } from '../server/nodeApi.js';
import { PageArguments, pageRequest, type Page } from '../server/page.js';
import { eventMetadata, type RequestContext } from '../server/requestContext.js';
import { authorize, canSee, Requires } from '../server/requires.js';
import { selectPage, visibleProjects } from '../server/selectPage.js';
import {
  checkService,
  defaultPort,
  registerService,
  removeService,
  updateService,
  validateService,
  type ServiceTools,
} from './serviceCommands.js';
import { ServiceFilter, ServiceInput, ServicePatch, type ProtectionStatus } from './serviceInput.js';
import { passwordWithoutUser, statedSettings } from './servicePatch.js';
import { findService, findServiceOfInstance, findServices } from './serviceQueries.js';
import { checkServiceFields, instanceId as instanceIdRule, knownEngine } from './serviceRules.js';
import { CheckServicePayload, ServiceConnection, ServiceType } from './serviceType.js';
import { ServiceTable, type ServiceRow } from './serviceView.js';

export type ServiceDependencies = ServiceTools & {
  /** The beginning of the URLs of dashboards, without a slash at the end. */
  readonly publicUrl: () => string;
  /** Those of the ids that are in use, so that their services cannot be removed now. */
  readonly entitiesInUse: (ids: readonly string[]) => Promise<ReadonlySet<string>>;
  /** The services of these projects that have one of these statuses. The slice of protection computes it. */
  readonly servicesProtectedAs?: (
    projectIds: 'ALL' | readonly string[],
    statuses: readonly ProtectionStatus[],
  ) => Promise<readonly string[]>;
};

export function serviceResolvers(tools: ServiceDependencies): readonly object[] {
  return [new ServiceResolver(tools), new ServiceFieldsResolver(tools)];
}

export function serviceNodes(tools: Pick<ServiceDependencies, 'dataSource'>): NodeSource {
  const batch = (ids: readonly string[]) => findServices(tools.dataSource.manager, ids);
  return {
    async find(id, context) {
      const row = await context.loaders.of(batch).load(id);
      return row !== null && canSee(context, row.projectId) ? ServiceType.of(row) : null;
    },
  };
}

@Resolver()
export class ServiceResolver {
  constructor(private readonly tools: ServiceDependencies) {}

  @Query(() => ServiceType, { nullable: true, description: 'By id or by instanceId.' })
  @Requires('VIEWER')
  async service(
    @Arg('id', () => ID, { nullable: true }) id: string | null | undefined,
    @Arg('instanceId', () => String, { nullable: true }) instanceId: string | null | undefined,
    @Ctx() context: RequestContext,
  ): Promise<ServiceType | null> {
    const { manager } = this.tools.dataSource;
    if (Boolean(id) === Boolean(instanceId)) {
      const problem = id ? 'stands beside instanceId' : 'is missing';
      new InputProblems().add('id', problem, 'Send either id or instanceId.').throwIfAny();
    }
    const row = id ? await findService(manager, id) : await findServiceOfInstance(manager, instanceId ?? '');
    return row !== null && canSee(context, row.projectId) ? ServiceType.of(row) : null;
  }

  @Query(() => ServiceConnection, { description: 'Newest first, without the removed ones.' })
  @Requires('VIEWER')
  async services(
    @Arg('projectId', () => ID, { nullable: true }) projectId: string | null | undefined,
    @Args(() => PageArguments) page: PageArguments,
    @Arg('filter', () => ServiceFilter, { nullable: true }) filter: ServiceFilter | null | undefined,
    @Ctx() context: RequestContext,
  ): Promise<Page<ServiceType>> {
    new InputProblems().check('projectId', projectId, uuid).throwIfAny();
    const visible = context.viewer.projectIds();
    const protectedAs = await this.protectedAs(projectId ? [projectId] : visible, filter?.protection);
    const search = filter?.search ? `%${filter.search.replace(/[\\%_]/g, '\\$&')}%` : undefined;
    return selectPage(this.tools.dataSource.manager, pageRequest(page, 'createdAt'), {
      table: ServiceTable,
      where: [
        ['row.removed_at IS NULL'],
        visibleProjects(visible, projectId),
        filter?.engine ? ['row.engine = ANY(:engines)', { engines: filter.engine }] : undefined,
        protectedAs === undefined ? undefined : ['row.id = ANY(:protectedAs)', { protectedAs }],
        search === undefined
          ? undefined
          : ['(row.name ILIKE :search OR row.host ILIKE :search OR row.instance_id ILIKE :search)', { search }],
      ],
      by: {
        expression: 'row.created_at',
        type: 'timestamptz',
        direction: 'DESC',
        textOf: (row) => row.createdAt.toISOString(),
      },
      nodeOf: (row) => ServiceType.of(row),
    });
  }

  @Mutation(() => ServiceType, {
    description: 'Repeated with the same values it returns the same service; with other values it is a CONFLICT.',
  })
  @Requires('OPERATOR')
  async registerService(
    @Arg('input', () => ServiceInput) input: ServiceInput,
    @Arg('commandId', () => ID, { nullable: true }) commandId: string | null | undefined,
    @Ctx() context: RequestContext,
    @Info() info: GraphQLResolveInfo,
  ): Promise<ServiceType> {
    const projectId = await this.authorizedProject(context, info, input.projectId);
    const problems = this.problemsOf(input).check('commandId', commandId, uuid);
    if (input.instanceId && !context.viewer.isInstallation) {
      problems.add('input.instanceId', 'is set by installation-level tokens only', 'Leave it out; one is made.');
    }
    problems.throwIfAny();
    const request = commandRequest(context, { operation: 'registerService', projectId, input, commandId });
    const { engine, instanceId = null, password = null } = input;
    const settings = statedSettings(input, defaultPort(this.tools, engine));
    const id = await registerService(this.tools, request, { projectId, engine, instanceId, settings, password });
    return this.answer(id);
  }

  @Mutation(() => ServiceType)
  @Requires('OPERATOR')
  async updateService(
    @Arg('id', () => ID) id: string,
    @Arg('input', () => ServicePatch) patch: ServicePatch,
    @Arg('expectedVersion', () => Int, { nullable: true }) expectedVersion: number | null | undefined,
    @Arg('commandId', () => ID, { nullable: true }) commandId: string | null | undefined,
    @Ctx() context: RequestContext,
    @Info() info: GraphQLResolveInfo,
  ): Promise<ServiceType> {
    const row = await this.authorizedService(context, info, id);
    this.problemsOfPatch(patch, row).check('commandId', commandId, uuid).throwIfAny();
    const input = { id: row.id, input: patch, expectedVersion };
    const { projectId } = row;
    const request = commandRequest(context, { operation: 'updateService', projectId, input, commandId });
    await updateService(this.tools, request, row, patch, expectedVersion ?? undefined);
    return this.answer(row.id);
  }

  @Mutation(() => ServiceType, {
    description: 'SERVICE_IN_USE while a plan or a listed backup belongs to the service.',
  })
  @Requires('ADMIN')
  async removeService(
    @Arg('id', () => ID) id: string,
    @Arg('expectedVersion', () => Int, { nullable: true }) expectedVersion: number | null | undefined,
    @Arg('commandId', () => ID, { nullable: true }) commandId: string | null | undefined,
    @Ctx() context: RequestContext,
    @Info() info: GraphQLResolveInfo,
  ): Promise<ServiceType> {
    const row = await this.authorizedService(context, info, id);
    new InputProblems().check('commandId', commandId, uuid).throwIfAny();
    const { projectId } = row;
    const input = { id: row.id, expectedVersion };
    const request = commandRequest(context, { operation: 'removeService', projectId, input, commandId });
    await removeService(this.tools, request, row, expectedVersion ?? undefined);
    return this.answer(row.id);
  }

  @Mutation(() => CheckType, { description: 'Checks the connection to a service before it is saved.' })
  @Requires('OPERATOR')
  async validateService(
    @Arg('input', () => ServiceInput) input: ServiceInput,
    @Ctx() context: RequestContext,
    @Info() info: GraphQLResolveInfo,
  ): Promise<CheckType> {
    await this.authorizedProject(context, info, input.projectId);
    this.problemsOf(input).throwIfAny();
    const { engine, password = null } = input;
    const settings = statedSettings(input, defaultPort(this.tools, engine));
    return CheckType.of(await validateService(this.tools, engine, settings, password));
  }

  @Mutation(() => CheckServicePayload, {
    description: 'Checks the connection to a saved service, with the changes of input. Only the result is saved.',
  })
  @Requires('OPERATOR')
  async checkService(
    @Arg('id', () => ID) id: string,
    @Arg('input', () => ServicePatch, { nullable: true }) patch: ServicePatch | null | undefined,
    @Ctx() context: RequestContext,
    @Info() info: GraphQLResolveInfo,
  ): Promise<CheckServicePayload> {
    const row = await this.authorizedService(context, info, id);
    const change = patch ?? {};
    this.problemsOfPatch(change, row).throwIfAny();
    const check = await checkService(this.tools, eventMetadata(context), row, change);
    return { check: CheckType.of(check), service: await this.answer(row.id) };
  }

  private async authorizedProject(
    context: RequestContext,
    info: GraphQLResolveInfo,
    projectId: string,
  ): Promise<string> {
    authorize({ context, info }, projectId, 'project');
    const project = await findProject(this.tools.dataSource.manager, projectId);
    if (project === null) throw notFound('project');
    return project.id;
  }

  private async authorizedService(context: RequestContext, info: GraphQLResolveInfo, id: string): Promise<ServiceRow> {
    const row = await findService(this.tools.dataSource.manager, id);
    authorize({ context, info }, row?.projectId, 'service');
    return row;
  }

  private problemsOf(input: ServiceInput): InputProblems {
    const { engines, allowedTargets } = this.tools;
    const problems = new InputProblems();
    problems.check('input.engine', input.engine, knownEngine(engines));
    problems.check('input.instanceId', input.instanceId, instanceIdRule);
    checkServiceFields(problems, input, engines.get(input.engine), allowedTargets);
    if (input.password && (input.username ?? null) === null) {
      problems.add('input.username', passwordWithoutUser.problem, passwordWithoutUser.hint);
    }
    return problems;
  }

  private problemsOfPatch(patch: ServicePatch, { engine }: ServiceRow): InputProblems {
    const problems = new InputProblems();
    refuseNulls(problems, 'input', patch, ['name', 'host']);
    checkServiceFields(problems, patch, this.tools.engines.get(engine), this.tools.allowedTargets);
    return problems;
  }

  private async protectedAs(
    projectIds: 'ALL' | readonly string[],
    statuses: readonly ProtectionStatus[] | null | undefined,
  ): Promise<readonly string[] | undefined> {
    if (statuses === undefined || statuses === null) return undefined;
    const { servicesProtectedAs } = this.tools;
    if (servicesProtectedAs === undefined) throw notYetAvailable('Services cannot be filtered by protection yet.');
    return servicesProtectedAs(projectIds, statuses);
  }

  private async answer(id: string): Promise<ServiceType> {
    return ServiceType.of(await this.tools.dataSource.manager.findOneByOrFail(ServiceTable, { id }));
  }
}

@Resolver(() => ServiceType)
export class ServiceFieldsResolver {
  constructor(private readonly tools: ServiceDependencies) {}

  private readonly projects = (ids: readonly string[]) => findProjects(this.tools.dataSource.manager, ids);

  private readonly inUse = async (ids: readonly string[]) => {
    const used = await this.tools.entitiesInUse(ids);
    return ids.map((id) => used.has(id));
  };

  @FieldResolver(() => ProjectType)
  async project(@Root() { row }: ServiceType, @Ctx() context: RequestContext): Promise<ProjectType> {
    const project = await context.loaders.of(this.projects).load(row.projectId);
    if (project === null) throw notFound('project');
    return ProjectType.of(project);
  }

  @FieldResolver(() => String)
  dashboardUrl(@Root() { instanceId }: ServiceType): string {
    return `${this.tools.publicUrl()}/v2/dashboard/${encodeURIComponent(instanceId)}`;
  }

  @FieldResolver(() => [EntityActionEnum], { description: 'What the viewer may do now, by role and state.' })
  async viewerActions(@Root() { row }: ServiceType, @Ctx() context: RequestContext): Promise<EntityAction[]> {
    if (row.removedAt !== null) return [];
    const possible: EntityAction[] = ['UPDATE', 'CHECK', 'BACK_UP', 'RESTORE_INTO'];
    if (!(await context.loaders.of(this.inUse).load(row.id))) possible.splice(1, 0, 'REMOVE');
    return allowedActions(context.viewer.roleIn(row.projectId), possible);
  }
}
