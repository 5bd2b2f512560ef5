/**
 * Rules across streams, kept by unique and foreign keys in the transaction that appends the events.
 * They are not read models: nothing rebuilds or swaps them.
 */
export interface Reservations {
  /** Takes a name within a scope (for example kind `plan`, scope the project's id). Taken already: CONFLICT. */
  claimName(kind: string, scope: string, name: string, ownerId: string): Promise<void>;
  /** Gives back every name of the kind that the owner holds. */
  releaseNames(kind: string, ownerId: string): Promise<void>;
  /** Makes an entity one that others can refer to with `use`. */
  register(id: string, kind: string, projectId: string): Promise<void>;
  /** Notes that `userId` needs the entity. The entity is gone: NOT_FOUND. Twice is once. */
  use(entityId: string, userId: string): Promise<void>;
  /** Like `use` of each, in one question. */
  useAll(entityIds: readonly string[], userId: string): Promise<void>;
  release(entityId: string, userId: string): Promise<void>;
  /** Keeps others from `use` of an entity until the transaction ends: what it decides on, nobody changes meanwhile. */
  lock(id: string): Promise<void>;
  /** Ends an entity; while it is in use `inUse` is thrown (ENDPOINT_IN_USE, SERVICE_IN_USE). */
  unregister(id: string, inUse: () => Error): Promise<void>;
}
