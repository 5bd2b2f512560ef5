import { Field, ID, InputType } from 'type-graphql';
import type { Secret } from '../secret.js';
import { OneOf } from '../server/oneOf.js';
import { SecretScalar } from '../server/scalars/secret.js';

const notYet = 'Not yet available.';

@InputType('EncryptionInput', { description: notYet })
export class EncryptionInput {
  @Field(() => [String], { description: 'age public keys.' })
  readonly recipients!: string[];
}

@InputType('SwiftServiceUserInput')
export class SwiftServiceUserInput {
  @Field(() => String)
  readonly username!: string;

  @Field(() => SecretScalar)
  readonly password!: Secret;

  @Field(() => String, { defaultValue: 'Default' })
  readonly userDomain!: string;

  @Field(() => String)
  readonly project!: string;

  @Field(() => String, { defaultValue: 'Default' })
  readonly projectDomain!: string;
}

@InputType('SwiftApplicationCredentialInput', { description: notYet })
export class SwiftApplicationCredentialInput {
  @Field(() => String)
  readonly id!: string;

  @Field(() => SecretScalar)
  readonly secret!: Secret;
}

@InputType('SwiftV1Input')
export class SwiftV1Input {
  @Field(() => String, { description: '`account:user`, as `swift -U` takes it.' })
  readonly user!: string;

  @Field(() => SecretScalar)
  readonly key!: Secret;
}

@InputType('SwiftCredentialsInput')
@OneOf()
export class SwiftCredentialsInput {
  @Field(() => SwiftServiceUserInput, { nullable: true })
  readonly serviceUser?: SwiftServiceUserInput | null;

  @Field(() => SwiftApplicationCredentialInput, { nullable: true })
  readonly applicationCredential?: SwiftApplicationCredentialInput | null;

  @Field(() => SwiftV1Input, { nullable: true })
  readonly v1?: SwiftV1Input | null;
}

const authUrl = "Keystone's address, or that of the v1 login; http or https.";

@InputType('SwiftInput')
export class SwiftInput {
  @Field(() => String, { description: authUrl })
  readonly authUrl!: string;

  @Field(() => String)
  readonly container!: string;

  @Field(() => String, { nullable: true })
  readonly region?: string | null;

  @Field(() => Boolean, { defaultValue: false, description: 'Make the container where it does not exist.' })
  readonly createContainer!: boolean;

  @Field(() => SwiftCredentialsInput)
  readonly credentials!: SwiftCredentialsInput;
}

@InputType('S3Input', { description: notYet })
export class S3Input {
  @Field(() => String, { nullable: true })
  readonly endpoint?: string | null;

  @Field(() => String)
  readonly region!: string;

  @Field(() => String)
  readonly bucket!: string;

  @Field(() => String)
  readonly accessKeyId!: string;

  @Field(() => SecretScalar)
  readonly secretAccessKey!: Secret;

  @Field(() => Boolean, { defaultValue: false })
  readonly forcePathStyle!: boolean;
}

@InputType('FilesystemInput')
export class FilesystemInput {
  @Field(() => String, {
    description: "A folder below the server's STOWAGE_FILESYSTEM_ROOT: relative to it, or the whole path.",
  })
  readonly path!: string;
}

@InputType('FileEndpointSettingsInput')
@OneOf()
export class FileEndpointSettingsInput {
  @Field(() => SwiftInput, { nullable: true })
  readonly swift?: SwiftInput | null;

  @Field(() => S3Input, { nullable: true })
  readonly s3?: S3Input | null;

  @Field(() => FilesystemInput, { nullable: true })
  readonly filesystem?: FilesystemInput | null;
}

@InputType('FileEndpointInput')
export class FileEndpointInput {
  @Field(() => ID)
  readonly projectId!: string;

  @Field(() => String)
  readonly name!: string;

  @Field(() => FileEndpointSettingsInput)
  readonly settings!: FileEndpointSettingsInput;

  @Field(() => String, { nullable: true, description: 'A folder for all backups. Default: none.' })
  readonly prefix?: string | null;

  @Field(() => EncryptionInput, { nullable: true })
  readonly encryption?: EncryptionInput | null;
}

@InputType('SwiftPatch')
export class SwiftPatch {
  @Field(() => String, { nullable: true, description: 'Another one needs the credentials again.' })
  readonly authUrl?: string | null;

  @Field(() => String, { nullable: true })
  readonly container?: string | null;

  @Field(() => String, { nullable: true })
  readonly region?: string | null;

  @Field(() => SwiftCredentialsInput, { nullable: true })
  readonly credentials?: SwiftCredentialsInput | null;
}

@InputType('S3Patch', { description: notYet })
export class S3Patch {
  @Field(() => String, { nullable: true })
  readonly endpoint?: string | null;

  @Field(() => String, { nullable: true })
  readonly region?: string | null;

  @Field(() => String, { nullable: true })
  readonly bucket?: string | null;

  @Field(() => String, { nullable: true })
  readonly accessKeyId?: string | null;

  @Field(() => SecretScalar, { nullable: true })
  readonly secretAccessKey?: Secret | null;

  @Field(() => Boolean, { nullable: true })
  readonly forcePathStyle?: boolean | null;
}

@InputType('FileEndpointSettingsPatch', { description: 'Of the kind that is stored.' })
@OneOf()
export class FileEndpointSettingsPatch {
  @Field(() => SwiftPatch, { nullable: true })
  readonly swift?: SwiftPatch | null;

  @Field(() => S3Patch, { nullable: true })
  readonly s3?: S3Patch | null;

  @Field(() => FilesystemInput, { nullable: true })
  readonly filesystem?: FilesystemInput | null;
}

@InputType('FileEndpointPatch', {
  description:
    'Absent: unchanged; null: back to the default. Container, region and path stay while listed backups lie there.',
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
