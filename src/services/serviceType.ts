import { Field, Int, ObjectType, registerEnumType } from 'type-graphql';
import { engineNames } from '../engines/engines.js';
import { CheckType } from '../server/checkType.js';
import { connection } from '../server/connection.js';
import { Node } from '../server/node.js';
import { DateTime } from '../server/scalars/dateTime.js';
import { Duration } from '../server/scalars/duration.js';
import type { ServiceIdentity, ServiceSettings } from './service.js';
import type { ServiceRow } from './serviceView.js';

export const EngineEnum = Object.fromEntries(engineNames.map((name) => [name, name]));
registerEnumType(EngineEnum, { name: 'Engine' });

export const TlsModeEnum = { OFF: 'OFF', REQUIRE: 'REQUIRE', VERIFY: 'VERIFY' } as const;
registerEnumType(TlsModeEnum, {
  name: 'TlsMode',
  description: 'REQUIRE encrypts. VERIFY also checks the certificate of the server.',
});

@ObjectType('Tls')
export class TlsType {
  @Field(() => TlsModeEnum)
  readonly mode!: ServiceSettings['tls']['mode'];

  @Field(() => String, {
    nullable: true,
    description: 'Trusted certificates (PEM). Null: the certificates of the system.',
  })
  readonly ca!: string | null;
}

@ObjectType('Service', { implements: Node, description: 'One data service that is backed up.' })
export class ServiceType extends Node {
  /** The stored row, for the fields that other slices add. It names the credential and does not hold the password. */
  readonly row!: ServiceRow;

  @Field(() => String)
  readonly name!: string;

  @Field(() => EngineEnum)
  readonly engine!: ServiceIdentity['engine'];

  @Field(() => String, { description: "The id of the platform's service instance. It is unique in the installation." })
  readonly instanceId!: string;

  @Field(() => String)
  readonly host!: string;

  @Field(() => Int)
  readonly port!: number;

  @Field(() => String, { nullable: true })
  readonly username!: string | null;

  @Field(() => String, { nullable: true })
  readonly authSource!: string | null;

  @Field(() => TlsType)
  readonly tls!: TlsType;

  @Field(() => [String], { nullable: true, description: 'Null: all databases except the databases of the system.' })
  readonly databases!: readonly string[] | null;

  @Field(() => Duration, {
    nullable: true,
    description: 'The service is LATE when its newest backup is older than this.',
  })
  readonly recoveryPointObjective!: number | null;

  @Field(() => CheckType, { nullable: true })
  readonly lastCheck!: CheckType | null;

  @Field(() => DateTime)
  readonly createdAt!: Date;

  @Field(() => DateTime, { nullable: true })
  readonly removedAt!: Date | null;

  @Field(() => Int)
  readonly version!: number;

  static of(row: ServiceRow): ServiceType {
    const { id, name, engine, instanceId, host, port, username, authSource, tls, databases } = row;
    const { createdAt, removedAt, version } = row;
    return Object.assign(new ServiceType(), {
      ...{ row, id, name, engine, instanceId, host, port, username, authSource, tls, databases },
      ...{ createdAt, removedAt, version },
      recoveryPointObjective: row.recoveryPointObjectiveMs,
      lastCheck: row.lastCheck === null ? null : CheckType.of(row.lastCheck),
    });
  }
}

export const ServiceConnection = connection('Service', () => ServiceType);

@ObjectType('CheckServicePayload')
export class CheckServicePayload {
  @Field(() => CheckType)
  readonly check!: CheckType;

  @Field(() => ServiceType)
  readonly service!: ServiceType;
}
