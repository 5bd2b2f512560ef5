import { Arg, Args, Ctx, ID, Mutation, Query, Resolver } from 'type-graphql';
import {
  EntityArguments,
  entityMutation,
  VersionedArguments,
  type EntityMutation,
} from '../entities/entityMutation.js';
import type { CommandRequest } from '../eventSourcing/commandHandling.js';
import { authorizedProject } from '../projects/authorizedProject.js';
import { Call } from '../server/call.js';
import { CheckType } from '../server/checkType.js';
import { commandRequest } from '../server/commandRequest.js';
import { InputProblems, uuid } from '../server/inputValidation.js';
import { newestFirst } from '../server/newestFirst.js';
import { ifVisible } from '../server/nodesOf.js';
import { PageArguments, pageRequest, type Page } from '../server/page.js';
import { eventMetadata, type RequestContext } from '../server/requestContext.js';
import { authorize, Requires, type OperationCall } from '../server/requires.js';
import { selectPage, visibleProjects } from '../server/selectPage.js';
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
import { findFileEndpoint } from './fileEndpointQueries.js';
import { endpointPatchProblems, endpointProblems } from './fileEndpointRules.js';
import { CheckFileEndpointPayload, FileEndpointConnection, FileEndpointType } from './fileEndpointType.js';
import { FileEndpointTable, type FileEndpointRow } from './fileEndpointView.js';

export type FileEndpointDependencies = FileEndpointTools & FileEndpointFieldTools;

export function fileEndpointResolvers(dependencies: FileEndpointDependencies): readonly object[] {
  declareKinds(dependencies.storages);
  return [new FileEndpointResolver(dependencies), new FileEndpointFieldsResolver(dependencies)];
}

@Resolver()
export class FileEndpointResolver {
  constructor(private readonly dependencies: FileEndpointDependencies) {}

  @Query(() => FileEndpointType, { nullable: true })
  @Requires('VIEWER')
  async fileEndpoint(
    @Arg('id', () => ID) id: string,
    @Ctx() context: RequestContext,
  ): Promise<FileEndpointType | null> {
    return ifVisible(context, await this.find(id), (row) => FileEndpointType.of(row));
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
      where: [['row.removed_at IS NULL'], visibleProjects(context.viewer.projectIds(), projectId)],
      by: newestFirst('createdAt'),
      nodeOf: (row) => FileEndpointType.of(row),
    });
  }

  @Mutation(() => CheckType, {
    description: 'Validate: runs every step, saves nothing, and leaves nothing in the storage.',
  })
  @Requires('OPERATOR')
  async validateFileEndpoint(
    @Arg('input', () => FileEndpointInput) input: FileEndpointInput,
    @Call() call: OperationCall,
  ): Promise<CheckType> {
    const projectId = await authorizedProject(this.dependencies.dataSource.manager, call, input.projectId);
    const stated = this.stated(input, projectId, await this.problemsOf(input, { projectId }));
    return CheckType.of(await validateFileEndpoint(this.dependencies, stated, { projectId }));
  }

  @Mutation(() => FileEndpointType, {
    description: 'Submit: validates again. If a step fails, the error is CHECK_FAILED with the check in details.',
  })
  @Requires('OPERATOR')
  async createFileEndpoint(
    @Arg('input', () => FileEndpointInput) input: FileEndpointInput,
    @Arg('commandId', () => ID, { nullable: true }) commandId: string | null | undefined,
    @Call() call: OperationCall,
  ): Promise<FileEndpointType> {
    const projectId = await authorizedProject(this.dependencies.dataSource.manager, call, input.projectId);
    const problems = (await this.problemsOf(input, { projectId })).check('commandId', commandId, uuid);
    const stated = this.stated(input, projectId, problems);
    const request = commandRequest(call.context, { operation: 'createFileEndpoint', projectId, input, commandId });
    return this.answer(await createFileEndpoint(this.dependencies, request, projectId, stated));
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
    const row = await this.find(id);
    authorize(call, row?.projectId, 'file endpoint');
    const patch = input ?? {};
    (await this.problemsOfPatch(patch, row)).throwIfAny();
    const check = await checkFileEndpoint(this.dependencies, eventMetadata(call.context), row, patch);
    return { check: CheckType.of(check), fileEndpoint: await this.answer(row.id) };
  }

  @Mutation(() => FileEndpointType, {
    description:
      'A change of any field except the name is checked first, as at creation. If a step fails, the error is CHECK_FAILED.',
  })
  @Requires('OPERATOR')
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

  private readonly find = (id: string) => findFileEndpoint(this.dependencies.dataSource.manager, id);

  private async change(
    call: OperationCall,
    endpoint: EntityArguments,
    options: Omit<EntityMutation<FileEndpointRow>, 'noun' | 'find'>,
    work: (row: FileEndpointRow, request: CommandRequest) => Promise<void>,
  ): Promise<FileEndpointType> {
    const { id } = await entityMutation({ noun: 'file endpoint', find: this.find, ...options }, call, endpoint, work);
    return this.answer(id);
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
