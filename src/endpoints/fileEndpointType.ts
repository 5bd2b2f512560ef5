import { Field, Int, ObjectType } from 'type-graphql';
import { CheckType } from '../server/checkType.js';
import { connection } from '../server/connection.js';
import { Node } from '../server/node.js';
import { DateTime } from '../server/scalars/dateTime.js';
import { FileEndpointKindEnum } from './declareKinds.js';
import type { FileEndpointRow } from './fileEndpointView.js';

@ObjectType('Encryption')
export class EncryptionType {
  @Field(() => String)
  readonly method!: string;

  @Field(() => [String])
  readonly recipients!: readonly string[];
}

@ObjectType('FileEndpoint', { implements: Node, description: 'The place of backups.' })
export class FileEndpointType extends Node {
  /** The stored row, for the fields that later slices add. It names the credential and does not hold the secret. */
  readonly row!: FileEndpointRow;

  @Field(() => String)
  readonly name!: string;

  @Field(() => FileEndpointKindEnum)
  readonly kind!: string;

  @Field(() => String, { nullable: true, description: 'The folder of all backups, ending in a slash.' })
  readonly prefix!: string | null;

  @Field(() => EncryptionType, { nullable: true })
  readonly encryption!: EncryptionType | null;

  @Field(() => CheckType, { nullable: true })
  readonly lastCheck!: CheckType | null;

  @Field(() => DateTime)
  readonly createdAt!: Date;

  @Field(() => DateTime, { nullable: true })
  readonly removedAt!: Date | null;

  @Field(() => Int)
  readonly version!: number;

  static of(row: FileEndpointRow): FileEndpointType {
    const { id, name, settings, prefix, lastCheck, createdAt, removedAt, version } = row;
    return Object.assign(new FileEndpointType(), {
      ...{ row, id, name, createdAt, removedAt, version, encryption: null },
      kind: settings.kind,
      prefix: prefix === '' ? null : prefix,
      lastCheck: lastCheck === null ? null : CheckType.of(lastCheck),
    });
  }
}

export const FileEndpointConnection = connection('FileEndpoint', () => FileEndpointType);

@ObjectType('CheckFileEndpointPayload')
export class CheckFileEndpointPayload {
  @Field(() => CheckType)
  readonly check!: CheckType;

  @Field(() => FileEndpointType)
  readonly fileEndpoint!: FileEndpointType;
}
