import type { ClassType } from 'type-graphql';
import type { CheckStep } from '../check.js';
import type { Secret } from '../secret.js';
import type { InputProblems } from '../server/inputValidation.js';
import type { CheckOptions, Storage } from './storage.js';

/**
 * The settings of a file endpoint without its secret, in the form that events and views hold. Their format never
 * changes.
 */
export type EndpointSettings = {
  readonly kind: string;
  readonly [setting: string]: string | number | boolean | null | object;
};

/** The type-graphql classes of a kind. `settings` is an object type, and the other two are input types. */
export type KindTypes = { readonly input: ClassType; readonly patch: ClassType; readonly settings: ClassType };

/** A kind that the schema contains and that is not built yet. Input of this kind is refused with NOT_YET_AVAILABLE. */
export type AnnouncedKind = {
  readonly name: string;
  readonly field: string;
  readonly types: KindTypes;
  readonly isAnnounced: true;
};

/** The settings of a file endpoint from a client, with the secret separate. */
export type SettingsWithSecret<Settings> = {
  readonly settings: Settings;
  /** Undefined: the stored secret is kept. Null: this kind has no secret. */
  readonly secret: Secret | null | undefined;
  /** Whether a missing container is created. Default: no. */
  readonly createContainer?: boolean;
};

/** The endpoint that an input or a patch is about. */
export type EndpointToState<Settings> = {
  readonly projectId: string;
  /** The stored settings. Absent for a new endpoint. */
  readonly before?: Settings;
};

/** A place that can be opened or checked, with settings and secret. */
export type StorageTarget = {
  /** The caller closes the opened storage. */
  open(): Storage;
  check(options: CheckOptions): Promise<readonly CheckStep[]>;
};

/**
 * Everything that Stowage knows about one kind of file endpoint: one folder below `storage/`, and one line in
 * `createStorageKinds`. `Input` and `Patch` are the kind's part of an input of the API.
 */
export interface StorageKind<
  Settings extends EndpointSettings = EndpointSettings,
  Input extends object = object,
  Patch extends object = object,
> {
  /** The name in events and in the API's FileEndpointKind, for example `FILESYSTEM`. It never changes. */
  readonly name: Settings['kind'];
  /** The field of this kind in the API's inputs, for example `filesystem`. */
  readonly field: string;
  readonly types: KindTypes;
  /** Fields of a patch that have no default, so null is refused. */
  readonly fieldsWithoutDefault: readonly string[];
  /** The field of a patch that holds the secret. Absent for a kind without a secret. */
  readonly secretField?: string;

  /**
   * Adds all problems of an input or a patch, without using the network. `path` is the position of the part, for
   * example `input.settings.filesystem`. Throws NOT_YET_AVAILABLE for a part that is not built yet.
   */
  addProblems(
    problems: InputProblems,
    path: string,
    stated: Input | Patch,
    endpoint: EndpointToState<Settings>,
  ): void | Promise<void>;
  /**
   * The settings of a new endpoint of that project. The input has no problems. A kind without a secret gives each project
   * a place of its own, because there are no credentials that keep projects apart.
   */
  fromInput(input: Input, projectId: string): SettingsWithSecret<Settings>;
  /**
   * The settings after a patch. An absent field keeps its value, and null sets the default. The patch has no problems. A
   * patch that states the stored place keeps it, even if a new endpoint could not have it.
   */
  afterPatch(before: Settings, patch: Patch, projectId: string): SettingsWithSecret<Settings>;
  /** The address that the secret is sent to. A change of it needs the secret again. */
  secretAddress(settings: Settings): string;
  /** The part of the settings that determines where the bytes are. A change of it would lose the stored backups. */
  placeOf(settings: Settings): readonly unknown[];
  /**
   * The place of a prefix in one spelling, outermost part first, for comparison with the places of other endpoints: letter
   * case of a host, a default port or a slash at the end make no difference. Two places that differ here may still be the
   * same one. The marker that is found there shows this.
   */
  spelledOut(settings: Settings, prefix: string): readonly string[];
  /**
   * The part of stored settings that is written equally in all endpoints of one place. PostgreSQL finds them by it.
   */
  writtenAlike(settings: Settings): Partial<Settings>;
  /**
   * The same place, named from the outermost place that may contain others. Only set by a kind whose endpoints must not
   * lie one inside the other, also in one project, as folders. Absent: a prefix inside of another one is harmless,
   * because nobody changes an object outside of the folders of its own attempts.
   */
  fromOutermost?(settings: Settings, prefix: string): { readonly settings: Settings; readonly prefix: string };
  /** A name that a person recognises, for example `backups at RegionOne`. */
  locationOf(settings: Settings): string;
  /** Returns an instance of `types.settings`. */
  shownSettings(settings: Settings): object;
  /** The part of a shell command that writes an object to standard output, for a person with only the container. */
  downloadCommand(settings: Settings, objectName: string): string;
  /**
   * Throws ENDPOINT_FORBIDDEN if this machine does not offer the kind, and INTERNAL if a secret is missing. `open` of
   * the target throws BAD_INPUT for settings that are not valid.
   */
  target(settings: Settings, secret: Secret | null, options?: { readonly createContainer?: boolean }): StorageTarget;
}
