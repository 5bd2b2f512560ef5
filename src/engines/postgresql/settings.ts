import type { Conversations } from '../conversation/conversations.js';
import type { AllowAddress } from '../network/serverAddress.js';
import type { Tools } from '../process/tools.js';

/** What the parts of this engine share. */
export type PostgresqlSettings = {
  readonly allowAddress: AllowAddress;
  readonly tools: Tools;
  readonly conversations: Conversations;
};
