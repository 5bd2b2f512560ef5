import { notYetAvailable, StowageError } from '../errors.js';
import type { AnnouncedKind, EndpointSettings, StorageKind } from './storageKind.js';

/** The settings of one kind in an input of the API. Exactly one field is set. */
export type SettingsOfOneKind = { readonly [field: string]: object | null | undefined };

/** The part of the input that the client has set, with its kind. */
export type ChosenKind = {
  readonly kind: StorageKind;
  readonly part: object;
  /** For example `input.settings.filesystem`. */
  readonly path: string;
};

/** The kinds of storage that file endpoints can have, in the order in which the API lists them. */
export class StorageKinds {
  constructor(readonly all: readonly (StorageKind | AnnouncedKind)[]) {}

  /** The kind of stored settings. Throws INTERNAL if this version does not know the kind. */
  of({ kind: name }: EndpointSettings): StorageKind {
    const kind = this.all.find((each) => each.name === name);
    if (kind !== undefined && !isAnnounced(kind)) return kind;
    throw new StowageError('INTERNAL', `This version of Stowage does not support file endpoints of kind ${name}.`);
  }

  /** Undefined: no settings are given. Throws NOT_YET_AVAILABLE for a kind that is only announced. */
  chosenBy(settings: SettingsOfOneKind | null | undefined): ChosenKind | undefined {
    for (const kind of this.all) {
      const part = settings?.[kind.field];
      if (part === undefined || part === null) continue;
      if (isAnnounced(kind)) throw this.#notYetAvailable(kind);
      return { kind, part, path: `input.settings.${kind.field}` };
    }
    return undefined;
  }

  #notYetAvailable({ name }: AnnouncedKind): StowageError {
    const built = this.all.filter((kind) => !isAnnounced(kind)).map((kind) => kind.name);
    return notYetAvailable(`File endpoints of kind ${name} are not built yet. Use ${built.join(' or ')}.`);
  }
}

function isAnnounced(kind: StorageKind | AnnouncedKind): kind is AnnouncedKind {
  return 'isAnnounced' in kind;
}
