import type { ClassType } from 'type-graphql';
import type { CheckStep } from '../check.js';
import type { Secret } from '../secret.js';
import type { InputProblems } from '../server/inputValidation.js';
import type { CheckOptions, Storage } from './storage.js';

/** The settings of a file endpoint without its secret, as events and views hold them. Their format never changes. */
export type EndpointSettings = {
  readonly kind: string;
  readonly [setting: string]: string | number | boolean | null | object;
};

/** The type-graphql classes of a kind. `settings` is an object type, the other two are input types. */
export type KindTypes = { readonly input: ClassType; readonly patch: ClassType; readonly settings: ClassType };

/** A kind that the API shows and that is not built yet: input of it is refused with NOT_YET_AVAILABLE. */
export type AnnouncedKind = {
  readonly name: string;
  readonly field: string;
  readonly types: KindTypes;
  readonly isAnnounced: true;
};

/** What a client sends as the settings of a file endpoint, with its secret apart. */
export type SettingsWithSecret<Settings> = {
  readonly settings: Settings;
  /** Undefined: the stored secret stays. Null: this kind has none. */
  readonly secret: Secret | null | undefined;
  /** Whether a container that does not exist is to be created. Default: no. */
  readonly createContainer?: boolean;
};

/** A place that can be opened or checked: settings and secret together. */
export type StorageTarget = {
  /** The caller closes what this opens. */
  open(): Storage;
  check(options: CheckOptions): Promise<readonly CheckStep[]>;
};

/**
 * Everything that Stowage knows of one kind of file endpoint: one folder below `storage/`, and one line in
 * `createStorageKinds`. `Input` and `Patch` are the kind's part of an input of the API.
 */
export interface StorageKind<
  Settings extends EndpointSettings = EndpointSettings,
  Input extends object = object,
  Patch extends object = object,
> {
  /** In events and in the API's FileEndpointKind, for example `FILESYSTEM`. Never changes. */
  readonly name: Settings['kind'];
  /** The field of this kind in the API's inputs, for example `filesystem`. */
  readonly field: string;
  readonly types: KindTypes;
  /** Fields of a patch that have no default, so that null is refused. */
  readonly fieldsWithoutDefault: readonly string[];
  /** The field of a patch that holds the secret; absent for a kind without one. */
  readonly secretField?: string;

  /**
   * Adds everything that is wrong with an input or a patch, without asking the network. `path` is where the part stands,
   * for example `input.settings.filesystem`. Throws NOT_YET_AVAILABLE for a part that is not built yet.
   */
  addProblems(problems: InputProblems, path: string, stated: Input | Patch): void | Promise<void>;
  /** The settings of a new endpoint. The input has no problems. */
  fromInput(input: Input): SettingsWithSecret<Settings>;
  /** The settings after a patch: absent is unchanged, null is the default. The patch has no problems. */
  afterPatch(before: Settings, patch: Patch): SettingsWithSecret<Settings>;
  /** The address that the secret is sent to. A change of it needs the secret again. */
  secretAddress(settings: Settings): string;
  /** What says where the bytes are. A change of it would lose the backups that lie there. */
  placeOf(settings: Settings): readonly unknown[];
  /** What a person recognises, for example `backups at RegionOne`. */
  locationOf(settings: Settings): string;
  /** An instance of `types.settings`. */
  shownSettings(settings: Settings): object;
  /** The piece of a shell line that writes an object to standard output, for a person with nothing but the container. */
  downloadCommand(settings: Settings, objectName: string): string;
  /**
   * Throws ENDPOINT_FORBIDDEN where this machine does not offer the kind, INTERNAL where a secret is missing. `open` of
   * the target throws BAD_INPUT for settings that cannot be right.
   */
  target(settings: Settings, secret: Secret | null, options?: { readonly createContainer?: boolean }): StorageTarget;
}
