import type { GraphQLResolveInfo } from 'graphql';
import { Arg, Args, Ctx, FieldResolver, ID, Info, Mutation, Query, Resolver, Root } from 'type-graphql';
import {
  EntityArguments,
  entityMutation,
  VersionedArguments,
  type EntityMutation,
} from '../entities/entityMutation.js';
import { notYetAvailable } from '../errors.js';
import type { CommandRequest } from '../eventSourcing/commandHandling.js';
import { authorizedProject } from '../projects/authorizedProject.js';
import { findProjects } from '../projects/projectQueries.js';
import { ProjectType } from '../projects/projectType.js';
import { fieldsAskedOfNodes } from '../server/askedFields.js';
import { Call } from '../server/call.js';
import { CheckType } from '../server/checkType.js';
import { commandRequest } from '../server/commandRequest.js';
import { allowedActions, EntityActionEnum, type EntityAction } from '../server/entityActions.js';
import { InputProblems, refuseNulls, uuid } from '../server/inputValidation.js';
import { loadKnown } from '../server/loadKnown.js';
import { newestFirst } from '../server/newestFirst.js';
import { authorizedRow, visibleRow } from '../server/lookup.js';
import { PageArguments, pageRequest, type Page } from '../server/page.js';
import { eventMetadata, type RequestContext } from '../server/requestContext.js';
import { Requires, type OperationCall } from '../server/requires.js';
import { roleAt } from '../server/scope.js';
import { selectPage } from '../server/selectPage.js';
import { visibleRows } from '../server/visibleRows.js';
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
import { AccessTokenServiceResolver, MembershipServiceResolver } from './servicesOfAccess.js';
import { visibleServiceOfInstance } from './serviceQueries.js';
import { checkServiceFields, instanceId as instanceIdRule, knownEngine } from './serviceRules.js';
import { CheckServicePayload, ServiceConnection, ServiceType } from './serviceType.js';
import { columnsWithoutTls, scopeOfService, serviceLookup, ServiceTable, type ServiceRow } from './serviceView.js';

export type ServiceDependencies = ServiceTools & {
  /** The beginning of the URLs of dashboards, without a slash at the end. */
  readonly publicUrl: () => string;
  /** Returns the ids of services that are in use, and so cannot be removed now. */
  readonly entitiesInUse: (ids: readonly string[]) => Promise<ReadonlySet<string>>;
  /** The services of these projects that have one of these statuses. The slice of protection computes it. */
  readonly servicesProtectedAs?: (
    projectIds: 'ALL' | readonly string[],
    statuses: readonly ProtectionStatus[],
  ) => Promise<readonly string[]>;
};

export function serviceResolvers(tools: ServiceDependencies): readonly object[] {
  return [
    ...[new ServiceResolver(tools), new ServiceFieldsResolver(tools)],
    ...[new MembershipServiceResolver(tools), new AccessTokenServiceResolver(tools)],
  ];
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
      const problem = id ? 'is sent together with instanceId' : 'is missing';
      new InputProblems().add('id', problem, 'Send either id or instanceId.').throwIfAny();
    }
    const row = id
      ? await visibleRow(context, manager, serviceLookup, id)
      : await visibleServiceOfInstance(context, manager, instanceId ?? '');
    return row && ServiceType.of(row);
  }

  @Query(() => ServiceConnection, { description: 'Newest first, without removed services.' })
  @Requires('VIEWER')
  async services(
    @Arg('projectId', () => ID, { nullable: true }) projectId: string | null | undefined,
    @Args(() => PageArguments) page: PageArguments,
    @Arg('filter', () => ServiceFilter, { nullable: true }) filter: ServiceFilter | null | undefined,
    @Ctx() context: RequestContext,
    @Info() info: GraphQLResolveInfo,
  ): Promise<Page<ServiceType>> {
    new InputProblems().check('projectId', projectId, uuid).throwIfAny();
    const { viewer } = context;
    const projectIds = projectId ? [projectId] : viewer.seenProjectIds();
    const protectedAs = await this.protectedAs(projectIds, filter?.protection);
    const search = filter?.search ? `%${filter.search.replace(/[\\%_]/g, '\\$&')}%` : undefined;
    return selectPage(this.tools.dataSource.manager, pageRequest(page, 'createdAt'), {
      table: ServiceTable,
      where: [
        ['row.removed_at IS NULL'],
        visibleRows(viewer, projectId, 'row.id'),
        filter?.engine ? ['row.engine = ANY(:engines)', { engines: filter.engine }] : undefined,
        protectedAs === undefined ? undefined : ['row.id = ANY(:protectedAs)', { protectedAs }],
        search === undefined
          ? undefined
          : ['(row.name ILIKE :search OR row.host ILIKE :search OR row.instance_id ILIKE :search)', { search }],
      ],
      by: newestFirst('createdAt'),
      nodeOf: (row) => ServiceType.of(row),
      // Certificates are by far the largest part of a service.
      columns: fieldsAskedOfNodes(info).has('tls') ? undefined : columnsWithoutTls,
    });
  }

  @Mutation(() => ServiceType, {
    description:
      'A repetition with the same values returns the same service. A repetition with other values is a CONFLICT.',
  })
  @Requires('ADMIN')
  async registerService(
    @Arg('input', () => ServiceInput) input: ServiceInput,
    @Arg('commandId', () => ID, { nullable: true }) commandId: string | null | undefined,
    @Call() call: OperationCall,
  ): Promise<ServiceType> {
    const projectId = await authorizedProject(this.tools.dataSource.manager, call, input.projectId);
    const problems = this.problemsOf(input).check('commandId', commandId, uuid);
    if (input.instanceId && !call.context.viewer.isInstallation) {
      problems.add(
        'input.instanceId',
        'may be set only with an installation-level token',
        'Omit it. An id is then generated.',
      );
    }
    problems.throwIfAny();
    const request = commandRequest(call.context, { operation: 'registerService', projectId, input, commandId });
    const { engine, instanceId = null, password = null } = input;
    const settings = statedSettings(input, defaultPort(this.tools, engine));
    const id = await registerService(this.tools, request, { projectId, engine, instanceId, settings, password });
    return this.answer(id);
  }

  @Mutation(() => ServiceType)
  @Requires('ADMIN')
  updateService(
    @Args(() => VersionedArguments) service: VersionedArguments,
    @Arg('input', () => ServicePatch) patch: ServicePatch,
    @Call() call: OperationCall,
  ): Promise<ServiceType> {
    const { expectedVersion } = service;
    const problems = (row: ServiceRow) => this.problemsOfPatch(patch, row);
    return this.change(call, service, { input: { input: patch, expectedVersion }, problems }, (row, request) =>
      updateService(this.tools, request, row, patch, expectedVersion ?? undefined),
    );
  }

  @Mutation(() => ServiceType, {
    description: 'SERVICE_IN_USE while a plan or a listed backup belongs to the service.',
  })
  @Requires('ADMIN')
  removeService(
    @Args(() => VersionedArguments) service: VersionedArguments,
    @Call() call: OperationCall,
  ): Promise<ServiceType> {
    const { expectedVersion } = service;
    return this.change(call, service, { input: { expectedVersion } }, (row, request) =>
      removeService(this.tools, request, row, expectedVersion ?? undefined),
    );
  }

  @Mutation(() => CheckType, { description: 'Checks the connection to a service before it is saved.' })
  @Requires('ADMIN')
  async validateService(
    @Arg('input', () => ServiceInput) input: ServiceInput,
    @Call() call: OperationCall,
  ): Promise<CheckType> {
    await authorizedProject(this.tools.dataSource.manager, call, input.projectId);
    this.problemsOf(input).throwIfAny();
    const { engine, password = null } = input;
    const settings = statedSettings(input, defaultPort(this.tools, engine));
    return CheckType.of(await validateService(this.tools, engine, settings, password));
  }

  @Mutation(() => CheckServicePayload, {
    description: 'Checks the connection to a saved service, with the changes in input. Only the result is saved.',
  })
  @Requires('OPERATOR')
  async checkService(
    @Arg('id', () => ID) id: string,
    @Arg('input', () => ServicePatch, { nullable: true }) patch: ServicePatch | null | undefined,
    @Call() call: OperationCall,
  ): Promise<CheckServicePayload> {
    const row = await authorizedRow(call, this.tools.dataSource.manager, serviceLookup, id);
    const change = patch ?? {};
    this.problemsOfPatch(change, row).throwIfAny();
    const check = await checkService(this.tools, eventMetadata(call.context, 'checkService'), row, change);
    return { check: CheckType.of(check), service: await this.answer(row.id) };
  }

  private async change(
    call: OperationCall,
    service: EntityArguments,
    options: Omit<EntityMutation<ServiceRow>, 'lookup' | 'manager'>,
    work: (row: ServiceRow, request: CommandRequest) => Promise<void>,
  ): Promise<ServiceType> {
    const { manager } = this.tools.dataSource;
    const { id } = await entityMutation({ lookup: serviceLookup, manager, ...options }, call, service, work);
    return this.answer(id);
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
    return ProjectType.of(await loadKnown(context, this.projects, row.projectId, 'project'));
  }

  @FieldResolver(() => String)
  dashboardUrl(@Root() { instanceId }: ServiceType): string {
    return `${this.tools.publicUrl()}/v2/dashboard/${encodeURIComponent(instanceId)}`;
  }

  @FieldResolver(() => [EntityActionEnum], { description: 'The actions that role and state allow the viewer now.' })
  async viewerActions(@Root() { row }: ServiceType, @Ctx() context: RequestContext): Promise<EntityAction[]> {
    if (row.removedAt !== null) return [];
    const possible: EntityAction[] = ['UPDATE', 'CHECK', 'BACK_UP', 'RESTORE_INTO', 'MANAGE_ACCESS'];
    if (!(await context.loaders.of(this.inUse).load(row.id))) possible.splice(1, 0, 'REMOVE');
    return allowedActions(roleAt(context.viewer, scopeOfService(row)), possible);
  }
}
