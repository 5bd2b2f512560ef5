import { Arg, ID, Mutation, Resolver } from 'type-graphql';
import { notYetAvailable } from '../../errors.js';
import { Requires } from '../../server/requires.js';
import { BackupJobType, VerificationLevelEnum, type VerificationLevel } from './backupJobType.js';

/** What of the API about backups waits to be built: in the schema in its final shape. */

@Resolver()
export class LaterBackupResolver {
  @Mutation(() => BackupJobType)
  @Requires('OPERATOR')
  verifyBackup(
    @Arg('id', () => ID) _id: string,
    @Arg('level', () => VerificationLevelEnum, { defaultValue: 'READABLE' }) _level: VerificationLevel,
    @Arg('commandId', () => ID, { nullable: true }) _commandId: string | null | undefined,
  ): BackupJobType {
    throw notYetAvailable(
      'Verification on demand is not built yet. Every backup is read back and compared before it is called SUCCEEDED.',
    );
  }
}
