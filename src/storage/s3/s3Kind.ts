import { Field, InputType, ObjectType } from 'type-graphql';
import type { Secret } from '../../secret.js';
import { SecretScalar } from '../../server/scalars/secret.js';
import type { AnnouncedKind } from '../storageKind.js';

@InputType('S3Input', { description: 'Not yet available.' })
class S3Input {
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

@InputType('S3Patch', { description: 'Not yet available.' })
class S3Patch {
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

@ObjectType('S3Settings')
class S3SettingsType {
  @Field(() => String, { nullable: true })
  readonly endpoint!: string | null;

  @Field(() => String)
  readonly region!: string;

  @Field(() => String)
  readonly bucket!: string;

  @Field(() => String)
  readonly accessKeyId!: string;

  @Field(() => Boolean)
  readonly forcePathStyle!: boolean;
}

/** Object storage with Amazon's API. The schema already has its types. */
export const s3Kind: AnnouncedKind = {
  name: 'S3',
  field: 's3',
  types: { input: S3Input, patch: S3Patch, settings: S3SettingsType },
  isAnnounced: true,
};
