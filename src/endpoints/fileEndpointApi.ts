import type { GraphQLResolveInfo } from 'graphql';
import { Arg, Args, Ctx, ID, Info, Int, Mutation, Query, Resolver } from 'type-graphql';
import { notFound } from '../errors.js';
import { findProject } from '../projects/projectQueries.js';
import { CheckType } from '../server/checkType.js';
import { commandRequest } from '../server/commandRequest.js';
import { InputProblems, uuid } from '../server/inputValidation.js';
import type { NodeSource } from '../server/nodeApi.js';
import { PageArguments, pageRequest, type Page } from '../server/page.js';
import { eventMetadata, type RequestContext } from '../server/requestContext.js';
import { authorize, canSee, Requires } from '../server/requires.js';
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
import { findFileEndpoint, findFileEndpoints } from './fileEndpointQueries.js';
import { endpointPatchProblems, endpointProblems } from './fileEndpointRules.js';
import { CheckFileEndpointPayload, FileEndpointConnection, FileEndpointType } from './fileEndpointType.js';
import { FileEndpointTable, type FileEndpointRow } from './fileEndpointView.js';

export type FileEndpointDependencies = FileEndpointTools & FileEndpointFieldTools;

export function fileEndpointResolvers(dependencies: FileEndpointDependencies): readonly object[] {
  declareKinds(dependencies.storages);
  return [new FileEndpointResolver(dependencies), new FileEndpointFieldsResolver(dependencies)];
}

export function fileEndpointNodes(dependencies: Pick<FileEndpointDependencies, 'dataSource'>): NodeSource {
  const batch = (ids: readonly string[]) => findFileEndpoints(dependencies.dataSource.manager, ids);
  return {
    async find(id, context) {
      const row = await context.loaders.of(batch).load(id);
      return row !== null && canSee(context, row.projectId) ? FileEndpointType.of(row) : null;
    },
  };
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
    const row = await findFileEndpoint(this.dependencies.dataSource.manager, id);
    return row !== null && canSee(context, row.projectId) ? FileEndpointType.of(row) : null;
  }

  @Query(() => FileEndpointConnection, { description: 'Newest first, without the removed ones.' })
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
      by: {
        expression: 'row.created_at',
        type: 'timestamptz',
        direction: 'DESC',
        textOf: (row) => row.createdAt.toISOString(),
      },
      nodeOf: (row) => FileEndpointType.of(row),
    });
  }

  @Mutation(() => CheckType, { description: 'Validate: tries every step, saves nothing, leaves nothing behind.' })
  @Requires('OPERATOR')
  async validateFileEndpoint(
    @Arg('input', () => FileEndpointInput) input: FileEndpointInput,
    @Ctx() context: RequestContext,
    @Info() info: GraphQLResolveInfo,
  ): Promise<CheckType> {
    await this.authorizedProject(context, info, input.projectId);
    const stated = this.stated(input, await this.problemsOf(input));
    return CheckType.of(await validateFileEndpoint(this.dependencies, stated));
  }

  @Mutation(() => FileEndpointType, {
    description: 'Submit: validates again; a refusal is CHECK_FAILED with the check in details.',
  })
  @Requires('OPERATOR')
  async createFileEndpoint(
    @Arg('input', () => FileEndpointInput) input: FileEndpointInput,
    @Arg('commandId', () => ID, { nullable: true }) commandId: string | null | undefined,
    @Ctx() context: RequestContext,
    @Info() info: GraphQLResolveInfo,
  ): Promise<FileEndpointType> {
    const projectId = await this.authorizedProject(context, info, input.projectId);
    const problems = (await this.problemsOf(input)).check('commandId', commandId, uuid);
    const stated = this.stated(input, problems);
    const request = commandRequest(context, { operation: 'createFileEndpoint', projectId, input, commandId });
    return this.answer(await createFileEndpoint(this.dependencies, request, projectId, stated));
  }

  @Mutation(() => CheckFileEndpointPayload, {
    description: 'Tries a saved endpoint; with input as it would be after that change. Only the check is saved.',
  })
  @Requires('OPERATOR')
  async checkFileEndpoint(
    @Arg('id', () => ID) id: string,
    @Arg('input', () => FileEndpointPatch, { nullable: true }) input: FileEndpointPatch | null | undefined,
    @Ctx() context: RequestContext,
    @Info() info: GraphQLResolveInfo,
  ): Promise<CheckFileEndpointPayload> {
    const row = await this.authorizedEndpoint(context, info, id);
    const patch = input ?? {};
    (await this.problemsOfPatch(patch)).throwIfAny();
    const check = await checkFileEndpoint(this.dependencies, eventMetadata(context), row, patch);
    return { check: CheckType.of(check), fileEndpoint: await this.answer(row.id) };
  }

  @Mutation(() => FileEndpointType, {
    description: 'A change of anything but the name is checked first, as at creation; a refusal is CHECK_FAILED.',
  })
  @Requires('OPERATOR')
  async updateFileEndpoint(
    @Arg('id', () => ID) id: string,
    @Arg('input', () => FileEndpointPatch) patch: FileEndpointPatch,
    @Arg('expectedVersion', () => Int, { nullable: true }) expectedVersion: number | null | undefined,
    @Arg('commandId', () => ID, { nullable: true }) commandId: string | null | undefined,
    @Ctx() context: RequestContext,
    @Info() info: GraphQLResolveInfo,
  ): Promise<FileEndpointType> {
    const row = await this.authorizedEndpoint(context, info, id);
    (await this.problemsOfPatch(patch)).check('commandId', commandId, uuid).throwIfAny();
    const { projectId } = row;
    const input = { id: row.id, input: patch, expectedVersion };
    const request = commandRequest(context, { operation: 'updateFileEndpoint', projectId, input, commandId });
    await updateFileEndpoint(this.dependencies, request, row, patch, expectedVersion ?? undefined);
    return this.answer(row.id);
  }

  @Mutation(() => FileEndpointType, {
    description: 'ENDPOINT_IN_USE while a plan uses it or it holds listed backups. What lies in the container stays.',
  })
  @Requires('ADMIN')
  async removeFileEndpoint(
    @Arg('id', () => ID) id: string,
    @Arg('expectedVersion', () => Int, { nullable: true }) expectedVersion: number | null | undefined,
    @Arg('commandId', () => ID, { nullable: true }) commandId: string | null | undefined,
    @Ctx() context: RequestContext,
    @Info() info: GraphQLResolveInfo,
  ): Promise<FileEndpointType> {
    const row = await this.authorizedEndpoint(context, info, id);
    new InputProblems().check('commandId', commandId, uuid).throwIfAny();
    const { projectId } = row;
    const input = { id: row.id, expectedVersion };
    const request = commandRequest(context, { operation: 'removeFileEndpoint', projectId, input, commandId });
    await removeFileEndpoint(this.dependencies, request, row, expectedVersion ?? undefined);
    return this.answer(row.id);
  }

  private async authorizedProject(
    context: RequestContext,
    info: GraphQLResolveInfo,
    projectId: string,
  ): Promise<string> {
    authorize({ context, info }, projectId, 'project');
    const project = await findProject(this.dependencies.dataSource.manager, projectId);
    if (project === null) throw notFound('project');
    return project.id;
  }

  private async authorizedEndpoint(
    context: RequestContext,
    info: GraphQLResolveInfo,
    id: string,
  ): Promise<FileEndpointRow> {
    const row = await findFileEndpoint(this.dependencies.dataSource.manager, id);
    authorize({ context, info }, row?.projectId, 'file endpoint');
    return row;
  }

  private problemsOf(input: FileEndpointInput): Promise<InputProblems> {
    return endpointProblems(input, this.dependencies.storages);
  }

  private problemsOfPatch(patch: FileEndpointPatch): Promise<InputProblems> {
    return endpointPatchProblems(patch, this.dependencies.storages);
  }

  private stated(input: FileEndpointInput, problems: InputProblems): StatedEndpoint {
    problems.throwIfAny();
    return statedEndpoint(input, this.dependencies.storages);
  }

  private async answer(id: string): Promise<FileEndpointType> {
    return FileEndpointType.of(await this.dependencies.dataSource.manager.findOneByOrFail(FileEndpointTable, { id }));
  }
}
