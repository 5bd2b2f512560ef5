import { createUnionType, Field, Int, ObjectType, registerEnumType } from 'type-graphql';
import { CheckType } from '../server/checkType.js';
import { connection } from '../server/connection.js';
import { Node } from '../server/node.js';
import { DateTime } from '../server/scalars/dateTime.js';
import type { EndpointSettings, SwiftUser } from './fileEndpoint.js';
import type { FileEndpointRow } from './fileEndpointView.js';

export const FileEndpointKindEnum = { SWIFT: 'SWIFT', S3: 'S3', FILESYSTEM: 'FILESYSTEM' } as const;
registerEnumType(FileEndpointKindEnum, { name: 'FileEndpointKind' });

@ObjectType('SwiftServiceUser', { description: 'The technical account that the platform makes for object storage.' })
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

@ObjectType('S3Settings')
export class S3SettingsType {
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

@ObjectType('FilesystemSettings')
export class FilesystemSettingsType {
  @Field(() => String, { description: "Below the server's STOWAGE_FILESYSTEM_ROOT, relative to it." })
  readonly path!: string;
}

export const FileEndpointSettingsUnion = createUnionType({
  name: 'FileEndpointSettings',
  types: () => [SwiftSettingsType, S3SettingsType, FilesystemSettingsType] as const,
});

@ObjectType('Encryption')
export class EncryptionType {
  @Field(() => String)
  readonly method!: string;

  @Field(() => [String])
  readonly recipients!: readonly string[];
}

@ObjectType('FileEndpoint', { implements: Node, description: 'Where backups go.' })
export class FileEndpointType extends Node {
  /** As it is stored, for the fields that other slices add. It names its secret and does not hold it. */
  readonly row!: FileEndpointRow;

  @Field(() => String)
  readonly name!: string;

  @Field(() => FileEndpointKindEnum)
  readonly kind!: keyof typeof FileEndpointKindEnum;

  @Field(() => FileEndpointSettingsUnion)
  readonly settings!: SwiftSettingsType | S3SettingsType | FilesystemSettingsType;

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
      settings: settingsType(settings),
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

/** Members of a union are told apart by their class. */
function settingsType(settings: EndpointSettings): FileEndpointType['settings'] {
  if (settings.kind === 'FILESYSTEM') return Object.assign(new FilesystemSettingsType(), { path: settings.path });
  const { authUrl, container, region, user } = settings;
  return Object.assign(new SwiftSettingsType(), { authUrl, container, region, credentials: credentialsType(user) });
}

function credentialsType({ method, ...user }: SwiftUser): SwiftSettingsType['credentials'] {
  const type = method === 'V1' ? new SwiftV1UserType() : new SwiftServiceUserType();
  return Object.assign(type, user);
}
