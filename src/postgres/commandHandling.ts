import { timingSafeEqual } from 'node:crypto';
import type { DataSource, EntityManager } from 'typeorm';
import { StowageError } from '../errors.js';
import type { CommandHandling, CommandRequest, CommandResult } from '../eventSourcing/commandHandling.js';
import type { EventStore, Transaction } from '../eventSourcing/eventStore.js';
import { inputHash } from './inputHash.js';
import { derivedKey, type MasterKeys } from './masterKeys.js';
import { pauseToRepeat } from './patience.js';
import { isOutage, OutcomeUnknown, unavailableOnOutage } from './sqlErrors.js';

type Remembered = { readonly input_hash: Buffer; readonly result: CommandResult };
type Identified = CommandRequest & { readonly commandId: string };
/** The keyed hashes of the input. The hash with the newest key comes first. */
type Hashes = (request: CommandRequest) => readonly Buffer[];

/**
 * Stores commands in the transaction of their events. When the same commandId arrives twice at the same time, both
 * handlers may run but only one commit does: the other one waits for it and returns its result.
 */
export function createCommandHandling(options: {
  readonly dataSource: DataSource;
  readonly store: EventStore;
  readonly masterKeys: MasterKeys;
}): CommandHandling {
  const { dataSource, store } = options;
  // A stored hash may be from an older master key. New hashes use the newest key, and the hashes of all keys are
  // compared.
  const hashKeys = options.masterKeys.map((masterKey) => derivedKey(masterKey, 'command input'));

  const hashes: Hashes = ({ operation, input }) => hashKeys.map((key) => inputHash(key, operation, input));

  return {
    async handle<R extends CommandResult>(
      request: CommandRequest,
      handler: (commit: (work: (tx: Transaction) => Promise<R>) => Promise<R>) => Promise<R>,
    ): Promise<R> {
      if (!isIdentified(request)) return handler((work) => store.transact(request.metadata, work));
      const earlier = await unavailableOnOutage(remembered(dataSource.manager, request, hashes));
      if (earlier !== undefined) return earlier as R;
      return handler((work) =>
        untilConfirmed(() => store.transact(request.metadata, (tx) => commitOnce(tx, request, hashes, work))),
      );
    },
  };
}

/**
 * Repeats a command with a commandId whose commit was not confirmed, while the time limit of the request for the
 * database allows it. The repetition returns the first result if the first commit happened. If the first commit is
 * still pending on the server, the repetition waits for it, because both insert the same commandId.
 */
async function untilConfirmed<R>(commit: () => Promise<R>): Promise<R> {
  let unknown: OutcomeUnknown | undefined;
  for (let failures = 1; ; failures += 1) {
    try {
      return await commit();
    } catch (error) {
      if (error instanceof OutcomeUnknown) unknown = error;
      if (unknown === undefined || !isOutage(error)) throw error;
      if (!(await pauseToRepeat(failures))) throw unknown;
    }
  }
}

async function remembered(
  manager: EntityManager,
  request: Identified,
  hashes: Hashes,
): Promise<CommandResult | undefined> {
  const [row] = await manager.query<Remembered[]>(
    'SELECT input_hash, result FROM commands WHERE project_scope = $1 AND subject = $2 AND command_id = $3',
    scope(request),
  );
  if (row === undefined) return undefined;
  if (hashes(request).some((hash) => timingSafeEqual(hash, row.input_hash))) return row.result;
  throw new StowageError(
    'IDEMPOTENCY_MISMATCH',
    `The commandId ${request.commandId} was used before with another operation or another input.`,
  );
}

async function commitOnce<R extends CommandResult>(
  tx: Transaction,
  request: Identified,
  hashes: Hashes,
  work: (tx: Transaction) => Promise<R>,
): Promise<R> {
  const [hash] = hashes(request);
  // Waits for another transaction that runs the same command.
  const first = await tx.manager.query<unknown[]>(
    `INSERT INTO commands (project_scope, subject, command_id, input_hash) VALUES ($1, $2, $3, $4)
     ON CONFLICT DO NOTHING RETURNING command_id`,
    [...scope(request), hash],
  );
  if (first.length === 0) {
    const result = await remembered(tx.manager, request, hashes);
    if (result !== undefined) return result as R;
    throw new StowageError('UNAVAILABLE', `The command ${request.commandId} was deleted at this moment.`);
  }
  const result = await work(tx);
  await tx.manager.query(
    'UPDATE commands SET result = $4 WHERE project_scope = $1 AND subject = $2 AND command_id = $3',
    [...scope(request), JSON.stringify(result)],
  );
  return result;
}

function isIdentified(request: CommandRequest): request is Identified {
  return request.commandId !== undefined;
}

function scope({ projectId, subject, commandId }: Identified): [string, string, string] {
  return [projectId ?? '', subject, commandId];
}
