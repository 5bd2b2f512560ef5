import { createUnionType, Field, InputType, ObjectType } from 'type-graphql';
import type { Secret } from '../../secret.js';
import { OneOf } from '../../server/oneOf.js';
import { SecretScalar } from '../../server/scalars/secret.js';

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

@InputType('SwiftApplicationCredentialInput', { description: 'Not yet available.' })
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

@InputType('SwiftInput')
export class SwiftInput {
  @Field(() => String, { description: 'The address of Keystone, or of the v1 login; http or https.' })
  readonly authUrl!: string;

  @Field(() => String)
  readonly container!: string;

  @Field(() => String, { nullable: true })
  readonly region?: string | null;

  @Field(() => Boolean, { defaultValue: false, description: 'Create the container if it does not exist.' })
  readonly createContainer!: boolean;

  @Field(() => SwiftCredentialsInput)
  readonly credentials!: SwiftCredentialsInput;
}

@InputType('SwiftPatch')
export class SwiftPatch {
  @Field(() => String, { nullable: true, description: 'A change needs the credentials again.' })
  readonly authUrl?: string | null;

  @Field(() => String, { nullable: true })
  readonly container?: string | null;

  @Field(() => String, { nullable: true })
  readonly region?: string | null;

  @Field(() => SwiftCredentialsInput, { nullable: true })
  readonly credentials?: SwiftCredentialsInput | null;
}

@ObjectType('SwiftServiceUser', { description: 'The technical account that the platform creates for object storage.' })
export class SwiftServiceUserType {
  @Field(() => String)
  readonly username!: string;

  @Field(() => String)
  readonly userDomain!: string;

  @Field(() => String)
  readonly project!: string;

  @Field(() => String)
  readonly projectDomain!: string;
}

@ObjectType('SwiftApplicationCredential')
export class SwiftApplicationCredentialType {
  @Field(() => String)
  readonly applicationCredentialId!: string;
}

@ObjectType('SwiftV1User')
export class SwiftV1UserType {
  @Field(() => String, { description: '`account:user`, as `swift -U` takes it.' })
  readonly user!: string;
}

export const SwiftCredentialsUnion = createUnionType({
  name: 'SwiftCredentials',
  types: () => [SwiftServiceUserType, SwiftApplicationCredentialType, SwiftV1UserType] as const,
});

@ObjectType('SwiftSettings')
export class SwiftSettingsType {
  @Field(() => String)
  readonly authUrl!: string;

  @Field(() => String)
  readonly container!: string;

  @Field(() => String, { nullable: true })
  readonly region!: string | null;

  @Field(() => SwiftCredentialsUnion)
  readonly credentials!: SwiftServiceUserType | SwiftApplicationCredentialType | SwiftV1UserType;
}
