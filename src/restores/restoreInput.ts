import { Field, ID, InputType } from 'type-graphql';
import type { Secret } from '../secret.js';
import { OneOf } from '../server/oneOf.js';
import { SecretScalar } from '../server/scalars/secret.js';

@InputType('DatabaseMappingInput')
export class DatabaseMappingInput {
  @Field(() => String)
  readonly from!: string;

  @Field(() => String)
  readonly to!: string;
}

@InputType('RestoreAsNewInput', {
  description: 'An existing database is never overwritten: the error is TARGET_EXISTS.',
})
export class RestoreAsNewInput {
  @Field(() => ID, { nullable: true, description: 'Another service of the project. Absent: the same service.' })
  readonly serviceId?: string | null;

  @Field(() => [DatabaseMappingInput], { nullable: true, description: 'New names. Absent: the same names.' })
  readonly databases?: DatabaseMappingInput[] | null;
}

@InputType('RestoreInPlaceInput')
export class RestoreInPlaceInput {
  @Field(() => String, { description: 'The name of the service.' })
  readonly confirm!: string;

  @Field(() => Boolean, { defaultValue: false })
  readonly skipSafetyBackup!: boolean;

  @Field(() => ID, { nullable: true })
  readonly safetyFileEndpointId?: string | null;
}

@InputType('RestoreTargetInput')
@OneOf()
export class RestoreTargetInput {
  @Field(() => RestoreAsNewInput, { nullable: true })
  readonly asNew?: RestoreAsNewInput;

  @Field(() => RestoreInPlaceInput, { nullable: true })
  readonly inPlace?: RestoreInPlaceInput;
}

@InputType('StartRestoreInput')
export class StartRestoreInput {
  @Field(() => ID)
  readonly backupJobId!: string;

  @Field(() => RestoreTargetInput)
  readonly target!: RestoreTargetInput;

  @Field(() => SecretScalar, { nullable: true, description: 'For an encrypted backup.' })
  readonly decryptionKey?: Secret | null;
}
