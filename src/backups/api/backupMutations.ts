import { Arg, Args, ID, Mutation, Resolver } from 'type-graphql';
import type { DataSource } from 'typeorm';
import { notFound, notYetAvailable } from '../../errors.js';
import { EndpointRights, type EndpointsUsedBy } from '../../endpoints/endpointRights.js';
import type { CommandRequest } from '../../eventSourcing/commandHandling.js';
import {
  EntityArguments,
  entityMutation,
  VersionedArguments,
  type EntityMutation,
} from '../../entities/entityMutation.js';
import { cancelByClient } from '../../jobs/cancelByClient.js';
import { planLookup } from '../../plans/backupPlanView.js';
import { Call } from '../../server/call.js';
import { commandRequest } from '../../server/commandRequest.js';
import { InputProblems, text, uuid } from '../../server/inputValidation.js';
import { authorizedRow } from '../../server/lookup.js';
import { Requires, type OperationCall } from '../../server/requires.js';
import { rowById, rowsById } from '../../server/rowsById.js';
import { serviceLookup } from '../../services/serviceView.js';
import { backupHandling } from '../backupJobCommands.js';
import { backupJobLookup, BackupJobTable, type BackupJobRow } from '../backupJobView.js';
import { deleteByHand, type DeleteTools } from '../deletion/deleteByHand.js';
import { holdBackup, releaseHold } from '../deletion/holdBackup.js';
import { retryBackup } from '../retryBackup.js';
import { startBackup, type BackupOrder, type BackupTools } from '../startBackup.js';
import { StartBackupInput } from './backupJobInput.js';
import { BackupJobType, StartBackupPayload, VerificationLevelEnum, type VerificationLevel } from './backupJobType.js';

export type BackupMutationDependencies = BackupTools &
  DeleteTools & { readonly dataSource: DataSource; readonly endpointsUsedBy: EndpointsUsedBy };

const longestReason = 200;

@Resolver()
export class BackupMutationResolver {
  private readonly rights: EndpointRights;

  constructor(private readonly tools: BackupMutationDependencies) {
    this.rights = new EndpointRights(tools.endpointsUsedBy);
  }

  @Mutation(() => StartBackupPayload, {
    description: 'Starts a manual backup now, in addition to the schedule of the plan.',
  })
  @Requires('OPERATOR')
  async startBackup(
    @Arg('input', () => StartBackupInput) input: StartBackupInput,
    @Arg('commandId', () => ID, { nullable: true }) commandId: string | null | undefined,
    @Call() call: OperationCall,
  ): Promise<StartBackupPayload> {
    const { projectId, of } = await this.ordered(input, call);
    new InputProblems()
      .check('input.service.fileEndpointId', input.service?.fileEndpointId, uuid)
      .check('commandId', commandId, uuid)
      .throwIfAny();
    const request = commandRequest(call.context, { operation: 'startBackup', projectId, input, commandId });
    const order = { projectId, of, requestedBy: request.subject };
    const { batchId, jobIds } = await startBackup(this.tools, request, order);
    const rows = await rowsById(this.tools.dataSource.manager, BackupJobTable, jobIds);
    return { batchId, jobs: rows.flatMap((row) => (row === null ? [] : [new BackupJobType(row)])) };
  }

  @Mutation(() => BackupJobType, {
    description: 'A QUEUED job ends at once; a RUNNING one as soon as its worker has stopped the dump.',
  })
  @Requires('OPERATOR')
  cancelBackupJob(
    @Args(() => EntityArguments) job: EntityArguments,
    @Call() call: OperationCall,
  ): Promise<BackupJobType> {
    return this.change(call, job, (row, request) => cancelByClient(this.tools, backupHandling, row, request));
  }

  @Mutation(() => BackupJobType, { description: 'Queues a new job that replaces a FAILED or CANCELLED job.' })
  @Requires('OPERATOR')
  async retryBackupJob(
    @Args(() => EntityArguments) job: EntityArguments,
    @Call() call: OperationCall,
  ): Promise<BackupJobType> {
    const retry = ({ id: jobId, projectId }: BackupJobRow, request: CommandRequest) =>
      retryBackup(this.tools, request, { jobId, projectId, requestedBy: request.subject });
    return this.answer((await this.mutate(call, job, retry)).result);
  }

  @Mutation(() => BackupJobType, {
    description:
      'Its record stays. Two deletions need force: the last good backup of a destination, and a backup whose replacement is not found in the container. A held backup is never deleted. A copy of its manifest alone (COPY with multipart-manifest=get) shares its segments and is unreadable afterwards; Stowage cannot see such copies.',
  })
  @Requires('ADMIN')
  deleteBackup(
    @Args(() => VersionedArguments) job: VersionedArguments,
    @Arg('force', () => Boolean, { defaultValue: false }) force: boolean,
    @Call() call: OperationCall,
  ): Promise<BackupJobType> {
    const { expectedVersion } = job;
    const input = { force, expectedVersion };
    const work = (row: BackupJobRow, request: CommandRequest) => {
      const deletion = { force, by: request.subject, expectedVersion: expectedVersion ?? undefined };
      return deleteByHand(this.tools, request, row, deletion);
    };
    return this.change(call, job, work, { input });
  }

  @Mutation(() => BackupJobType, {
    description:
      'Neither retention nor a person deletes it until it is released. A second hold for the same reason changes nothing.',
  })
  @Requires('OPERATOR')
  holdBackup(
    @Args(() => EntityArguments) job: EntityArguments,
    @Arg('reason', () => String, { description: `1 to ${longestReason} printable characters.` }) reason: string,
    @Call() call: OperationCall,
  ): Promise<BackupJobType> {
    const problems = () => new InputProblems().check('reason', reason, text(1, longestReason));
    const work = (row: BackupJobRow, request: CommandRequest) =>
      holdBackup(this.tools, request, row, { reason, by: request.subject });
    return this.change(call, job, work, { input: { reason }, problems });
  }

  @Mutation(() => BackupJobType, {
    description: 'Retention and people may delete it again. If it is not held, nothing changes.',
  })
  @Requires('OPERATOR')
  releaseBackup(
    @Args(() => EntityArguments) job: EntityArguments,
    @Call() call: OperationCall,
  ): Promise<BackupJobType> {
    return this.change(call, job, (row, request) => releaseHold(this.tools, request, row, request.subject));
  }

  @Mutation(() => BackupJobType)
  @Requires('OPERATOR')
  verifyBackup(
    @Args(() => EntityArguments) job: EntityArguments,
    @Arg('level', () => VerificationLevelEnum, { defaultValue: 'READABLE' }) level: VerificationLevel,
    @Call() call: OperationCall,
  ): Promise<BackupJobType> {
    const refuse = () =>
      Promise.reject(
        notYetAvailable(
          'Verification on demand is not built yet. Every backup is read back and compared before it is SUCCEEDED.',
        ),
      );
    return this.change(call, job, refuse, { input: { level } });
  }

  private mutate<Result>(
    call: OperationCall,
    job: EntityArguments,
    work: (row: BackupJobRow, request: CommandRequest) => Promise<Result>,
    options?: Pick<EntityMutation<BackupJobRow>, 'input' | 'problems'>,
  ) {
    return entityMutation(
      { lookup: backupJobLookup, manager: this.tools.dataSource.manager, ...options },
      call,
      job,
      work,
    );
  }

  private async change(...mutation: Parameters<typeof this.mutate<void>>): Promise<BackupJobType> {
    return this.answer((await this.mutate(...mutation)).id);
  }

  private async answer(id: string): Promise<BackupJobType> {
    const row = await rowById(this.tools.dataSource.manager, BackupJobTable, id);
    if (row === null) throw notFound('backup job');
    return new BackupJobType(row);
  }

  private async ordered(input: StartBackupInput, call: OperationCall): Promise<Pick<BackupOrder, 'projectId' | 'of'>> {
    const { manager } = this.tools.dataSource;
    if (input.planId !== undefined) {
      const plan = await authorizedRow(call, manager, planLookup, input.planId);
      return { projectId: plan.projectId, of: { planId: plan.id } };
    }
    const service = await authorizedRow(call, manager, serviceLookup, input.service?.serviceId ?? '');
    const { projectId } = service;
    const asked = (input.service?.fileEndpointId ?? '').toLowerCase();
    const [fileEndpointId = asked] = await this.rights.withoutUnseen(manager, call.context, projectId, [asked]);
    const yieldToLocks = input.service?.yieldToLocks ?? true;
    return { projectId, of: { serviceId: service.id, fileEndpointId, yieldToLocks } };
  }
}
