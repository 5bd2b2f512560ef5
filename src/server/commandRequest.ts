import type { CommandRequest } from '../eventSourcing/commandHandling.js';
import { eventMetadata, type RequestContext } from './requestContext.js';

/** The command of a mutation. `projectId` is null for a command outside any project. */
export function commandRequest(
  context: RequestContext,
  command: {
    readonly operation: string;
    readonly projectId: string | null;
    readonly input: unknown;
    readonly commandId: string | null | undefined;
  },
): CommandRequest {
  const { operation, projectId, input, commandId } = command;
  return {
    operation,
    projectId,
    input,
    subject: context.viewer.subject,
    metadata: eventMetadata(context, operation, commandId),
    ...(commandId === undefined || commandId === null ? {} : { commandId }),
  };
}
