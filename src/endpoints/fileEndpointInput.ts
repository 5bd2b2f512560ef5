import { Field, ID, InputType } from 'type-graphql';
import { OneOf } from '../server/oneOf.js';

@InputType('EncryptionInput', { description: 'Not yet available.' })
export class EncryptionInput {
  @Field(() => [String], { description: 'age public keys.' })
  readonly recipients!: string[];
}

/** Each kind of storage adds its field: see declareKinds. */
@InputType('FileEndpointSettingsInput')
@OneOf()
export class FileEndpointSettingsInput {
  readonly [field: string]: object | null | undefined;
}

@InputType('FileEndpointInput')
export class FileEndpointInput {
  @Field(() => ID)
  readonly projectId!: string;

  @Field(() => ID, {
    nullable: true,
    description:
      'The service of the project that the endpoint is created from: members of this service have the same role for the endpoint. It never changes. Default: the endpoint belongs to the whole project.',
  })
  readonly serviceId?: string | null;

  @Field(() => String)
  readonly name!: string;

  @Field(() => FileEndpointSettingsInput)
  readonly settings!: FileEndpointSettingsInput;

  @Field(() => String, { nullable: true, description: 'A folder for all backups. Default: none.' })
  readonly prefix?: string | null;

  @Field(() => EncryptionInput, { nullable: true })
  readonly encryption?: EncryptionInput | null;
}

/** Each kind of storage adds its field: see declareKinds. */
@InputType('FileEndpointSettingsPatch', { description: 'The settings of the stored kind.' })
@OneOf()
export class FileEndpointSettingsPatch {
  readonly [field: string]: object | null | undefined;
}

@InputType('FileEndpointPatch', {
  description:
    'An absent field is unchanged. Null sets the default. Container, region and path cannot change while listed backups are there.',
})
export class FileEndpointPatch {
  @Field(() => String, { nullable: true })
  readonly name?: string | null;

  @Field(() => String, { nullable: true })
  readonly prefix?: string | null;

  @Field(() => EncryptionInput, { nullable: true })
  readonly encryption?: EncryptionInput | null;

  @Field(() => FileEndpointSettingsPatch, { nullable: true })
  readonly settings?: FileEndpointSettingsPatch | null;
}
