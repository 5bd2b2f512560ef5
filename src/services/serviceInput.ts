import { Field, ID, InputType, Int, registerEnumType } from 'type-graphql';
import type { Secret } from '../secret.js';
import { Duration } from '../server/scalars/duration.js';
import { SecretScalar } from '../server/scalars/secret.js';
import type { ServiceIdentity, ServiceSettings } from './service.js';
import { EngineEnum, TlsModeEnum } from './serviceType.js';

const port = 'Default: the usual port of the engine.';
const host =
  'A host name or an IP address. MongoDB only: several members of a replica set, separated by commas, each with a port if it has another one.';
const databases = 'Absent or null: all databases except the databases of the system.';

@InputType('TlsInput')
export class TlsInput {
  @Field(() => TlsModeEnum)
  readonly mode!: ServiceSettings['tls']['mode'];

  @Field(() => String, {
    nullable: true,
    description: 'Trusted certificates (PEM). Absent: the certificates of the system.',
  })
  readonly ca?: string | null;
}

@InputType('ServiceInput')
export class ServiceInput {
  @Field(() => ID)
  readonly projectId!: string;

  @Field(() => String)
  readonly name!: string;

  @Field(() => EngineEnum)
  readonly engine!: ServiceIdentity['engine'];

  @Field(() => String, {
    nullable: true,
    description: 'Only installation-level tokens may set it. Otherwise it is generated.',
  })
  readonly instanceId?: string | null;

  @Field(() => String, { description: host })
  readonly host!: string;

  @Field(() => Int, { nullable: true, description: port })
  readonly port?: number | null;

  @Field(() => String, { nullable: true })
  readonly username?: string | null;

  @Field(() => SecretScalar, { nullable: true })
  readonly password?: Secret | null;

  @Field(() => [String], { nullable: true, description: databases })
  readonly databases?: string[] | null;

  @Field(() => TlsInput, { nullable: true, description: 'Default: mode OFF.' })
  readonly tls?: TlsInput | null;

  @Field(() => String, { nullable: true, description: 'MongoDB only: the database in which the user is defined.' })
  readonly authSource?: string | null;

  @Field(() => Duration, { nullable: true })
  readonly recoveryPointObjective?: number | null;
}

/** An absent field keeps its value. Null sets the default. */
@InputType('ServicePatch', {
  description:
    'An absent field is unchanged, null sets the default. With a stored password, another host, port or tls needs the password again.',
})
export class ServicePatch {
  @Field(() => String, { nullable: true })
  readonly name?: string | null;

  @Field(() => String, { nullable: true, description: host })
  readonly host?: string | null;

  @Field(() => Int, { nullable: true })
  readonly port?: number | null;

  @Field(() => String, { nullable: true })
  readonly username?: string | null;

  @Field(() => SecretScalar, { nullable: true })
  readonly password?: Secret | null;

  @Field(() => [String], { nullable: true })
  readonly databases?: string[] | null;

  @Field(() => TlsInput, { nullable: true })
  readonly tls?: TlsInput | null;

  @Field(() => String, { nullable: true })
  readonly authSource?: string | null;

  @Field(() => Duration, { nullable: true })
  readonly recoveryPointObjective?: number | null;
}

export const ProtectionStatusEnum = {
  PROTECTED: 'PROTECTED',
  LATE: 'LATE',
  FAILING: 'FAILING',
  NEVER: 'NEVER',
  NO_PLAN: 'NO_PLAN',
  PAUSED: 'PAUSED',
} as const;
export type ProtectionStatus = keyof typeof ProtectionStatusEnum;
registerEnumType(ProtectionStatusEnum, { name: 'ProtectionStatus' });

@InputType('ServiceFilter', { description: 'A service must match all fields that are set.' })
export class ServiceFilter {
  @Field(() => [EngineEnum], { nullable: true })
  readonly engine?: ServiceIdentity['engine'][] | null;

  @Field(() => [ProtectionStatusEnum], { nullable: true })
  readonly protection?: ProtectionStatus[] | null;

  @Field(() => String, {
    nullable: true,
    description: 'A part of the name, host or instance id. Letter case is ignored.',
  })
  readonly search?: string | null;
}
