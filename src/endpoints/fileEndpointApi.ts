import { Arg, Args, Ctx, ID, Mutation, Query, Resolver } from 'type-graphql';
import {
  EntityArguments,
  entityMutation,
  VersionedArguments,
  type EntityMutation,
} from '../entities/entityMutation.js';
import { notFound } from '../errors.js';
import type { CommandRequest } from '../eventSourcing/commandHandling.js';
import { authorizedProject } from '../projects/authorizedProject.js';
import { Call } from '../server/call.js';
import { CheckType } from '../server/checkType.js';
import { commandRequest } from '../server/commandRequest.js';
import { InputProblems, uuid } from '../server/inputValidation.js';
import { authorizedRow, visibleRow } from '../server/lookup.js';
import { nodesOf } from '../server/nodesOf.js';
import { EndpointRights, type EndpointsUsedBy } from './endpointRights.js';
import { newestFirst } from '../server/newestFirst.js';
import type { NodeSource } from '../server/nodeApi.js';
import { PageArguments, pageRequest, type Page } from '../server/page.js';
import { eventMetadata, type RequestContext } from '../server/requestContext.js';
import { Requires, type OperationCall } from '../server/requires.js';
import type { Scope } from '../server/scope.js';
import { selectPage } from '../server/selectPage.js';
import { serviceLookup } from '../services/serviceView.js';
import { declareKinds } from './declareKinds.js';
import {
  checkFileEndpoint,
  createFileEndpoint,
  removeFileEndpoint,
  updateFileEndpoint,
  validateFileEndpoint,
  type FileEndpointTools,
} from './fileEndpointCommands.js';
import { FileEndpointFieldsResolver, type FileEndpointFieldTools } from './fileEndpointFieldsApi.js';
import { FileEndpointInput, FileEndpointPatch } from './fileEndpointInput.js';
import { statedEndpoint, type StatedEndpoint } from './fileEndpointPatch.js';
import { endpointPatchProblems, endpointProblems } from './fileEndpointRules.js';
import { CheckFileEndpointPayload, FileEndpointConnection, FileEndpointType } from './fileEndpointType.js';
import { FileEndpointTable, type FileEndpointRow } from './fileEndpointView.js';

export type FileEndpointDependencies = FileEndpointTools &
  Omit<FileEndpointFieldTools, 'rights'> & { readonly endpointsUsedBy: EndpointsUsedBy };

export function fileEndpointResolvers(dependencies: FileEndpointDependencies): readonly object[] {
  declareKinds(dependencies.storages);
  const rights = new EndpointRights(dependencies.endpointsUsedBy);
  return [new FileEndpointResolver(dependencies, rights), new FileEndpointFieldsResolver({ ...dependencies, rights })];
}

@Resolver()
export class FileEndpointResolver {
  constructor(
    private readonly dependencies: FileEndpointDependencies,
    private readonly rights: EndpointRights,
  ) {}

  @Query(() => FileEndpointType, { nullable: true })
  @Requires('VIEWER')
  async fileEndpoint(
    @Arg('id', () => ID) id: string,
    @Ctx() context: RequestContext,
  ): Promise<FileEndpointType | null> {
    const row = await visibleRow(context, this.dependencies.dataSource.manager, this.rights.lookup, id);
    return row && FileEndpointType.of(row);
  }

  @Query(() => FileEndpointConnection, { description: 'Newest first, without removed endpoints.' })
  @Requires('VIEWER')
  async fileEndpoints(
    @Arg('projectId', () => ID, { nullable: true }) projectId: string | null | undefined,
    @Args(() => PageArguments) page: PageArguments,
    @Ctx() context: RequestContext,
  ): Promise<Page<FileEndpointType>> {
    new InputProblems().check('projectId', projectId, uuid).throwIfAny();
    return selectPage(this.dependencies.dataSource.manager, pageRequest(page, 'createdAt'), {
      table: FileEndpointTable,
      where: [['row.removed_at IS NULL'], await this.rights.visible(context, projectId)],
      by: newestFirst('createdAt'),
      nodeOf: (row) => FileEndpointType.of(row),
    });
  }

  @Mutation(() => CheckType, {
    description: 'Validate: runs every step, saves nothing, and leaves nothing in the storage.',
  })
  @Requires('ADMIN')
  async validateFileEndpoint(
    @Arg('input', () => FileEndpointInput) input: FileEndpointInput,
    @Call() call: OperationCall,
  ): Promise<CheckType> {
    const { projectId } = await this.authorizedScope(call, input);
    const stated = this.stated(input, projectId, await this.problemsOf(input, { projectId }));
    return CheckType.of(await validateFileEndpoint(this.dependencies, stated, { projectId }));
  }

  @Mutation(() => FileEndpointType, {
    description: 'Submit: validates again. If a step fails, the error is CHECK_FAILED with the check in details.',
  })
  @Requires('ADMIN')
  async createFileEndpoint(
    @Arg('input', () => FileEndpointInput) input: FileEndpointInput,
    @Arg('commandId', () => ID, { nullable: true }) commandId: string | null | undefined,
    @Call() call: OperationCall,
  ): Promise<FileEndpointType> {
    const scope = await this.authorizedScope(call, input);
    const { projectId } = scope;
    const problems = (await this.problemsOf(input, { projectId })).check('commandId', commandId, uuid);
    const stated = this.stated(input, projectId, problems);
    const request = commandRequest(call.context, { operation: 'createFileEndpoint', projectId, input, commandId });
    return this.answer(await createFileEndpoint(this.dependencies, request, scope, stated));
  }

  @Mutation(() => CheckFileEndpointPayload, {
    description:
      'Checks a saved endpoint. With input it checks the endpoint after that change. Only the result of the check is saved.',
  })
  @Requires('OPERATOR')
  async checkFileEndpoint(
    @Arg('id', () => ID) id: string,
    @Arg('input', () => FileEndpointPatch, { nullable: true }) input: FileEndpointPatch | null | undefined,
    @Call() call: OperationCall,
  ): Promise<CheckFileEndpointPayload> {
    const row = await authorizedRow(call, this.dependencies.dataSource.manager, this.rights.lookup, id);
    const patch = input ?? {};
    (await this.problemsOfPatch(patch, row)).throwIfAny();
    const check = await checkFileEndpoint(
      this.dependencies,
      eventMetadata(call.context, 'checkFileEndpoint'),
      row,
      patch,
    );
    return { check: CheckType.of(check), fileEndpoint: await this.answer(row.id) };
  }

  @Mutation(() => FileEndpointType, {
    description:
      'A change of any field except the name is checked first, as at creation. If a step fails, the error is CHECK_FAILED.',
  })
  @Requires('ADMIN')
  updateFileEndpoint(
    @Args(() => VersionedArguments) endpoint: VersionedArguments,
    @Arg('input', () => FileEndpointPatch) patch: FileEndpointPatch,
    @Call() call: OperationCall,
  ): Promise<FileEndpointType> {
    const { expectedVersion } = endpoint;
    const problems = (row: FileEndpointRow) => this.problemsOfPatch(patch, row);
    return this.change(call, endpoint, { input: { input: patch, expectedVersion }, problems }, (row, request) =>
      updateFileEndpoint(this.dependencies, request, row, patch, expectedVersion ?? undefined),
    );
  }

  @Mutation(() => FileEndpointType, {
    description: 'ENDPOINT_IN_USE while a plan uses it or it holds listed backups. The objects in the container stay.',
  })
  @Requires('ADMIN')
  removeFileEndpoint(
    @Args(() => VersionedArguments) endpoint: VersionedArguments,
    @Call() call: OperationCall,
  ): Promise<FileEndpointType> {
    const { expectedVersion } = endpoint;
    return this.change(call, endpoint, { input: { expectedVersion } }, (row, request) =>
      removeFileEndpoint(this.dependencies, request, row, expectedVersion ?? undefined),
    );
  }

  private async change(
    call: OperationCall,
    endpoint: EntityArguments,
    options: Omit<EntityMutation<FileEndpointRow>, 'lookup' | 'manager'>,
    work: (row: FileEndpointRow, request: CommandRequest) => Promise<void>,
  ): Promise<FileEndpointType> {
    const mutation = { lookup: this.rights.lookup, manager: this.dependencies.dataSource.manager, ...options };
    const { id } = await entityMutation(mutation, call, endpoint, work);
    return this.answer(id);
  }

  /** The project, or the service that the endpoint is created from. */
  private async authorizedScope(call: OperationCall, input: FileEndpointInput): Promise<Scope> {
    const { manager } = this.dependencies.dataSource;
    if (!input.serviceId) {
      return { projectId: await authorizedProject(manager, call, input.projectId), serviceId: null };
    }
    const { id: serviceId, projectId, removedAt } = await authorizedRow(call, manager, serviceLookup, input.serviceId);
    if (projectId !== input.projectId.toLowerCase() || removedAt !== null) throw notFound('service');
    return { projectId, serviceId };
  }

  private problemsOf(input: FileEndpointInput, endpoint: { readonly projectId: string }): Promise<InputProblems> {
    return endpointProblems(input, endpoint, this.dependencies.storages);
  }

  private problemsOfPatch(patch: FileEndpointPatch, { projectId, settings }: FileEndpointRow): Promise<InputProblems> {
    return endpointPatchProblems(patch, { projectId, before: settings }, this.dependencies.storages);
  }

  private stated(input: FileEndpointInput, projectId: string, problems: InputProblems): StatedEndpoint {
    problems.throwIfAny();
    return statedEndpoint(input, projectId, this.dependencies.storages);
  }

  private async answer(id: string): Promise<FileEndpointType> {
    return FileEndpointType.of(await this.dependencies.dataSource.manager.findOneByOrFail(FileEndpointTable, { id }));
  }
}

/** Finds file endpoints by id for `node`. */
export function fileEndpointNodes({
  dataSource,
  endpointsUsedBy,
}: Pick<FileEndpointDependencies, 'dataSource' | 'endpointsUsedBy'>): NodeSource {
  const rights = new EndpointRights(endpointsUsedBy);
  return nodesOf({ dataSource }, rights.lookup, (row) => FileEndpointType.of(row));
}
