/**
 * Rules across streams. Unique and foreign keys enforce them in the transaction that appends the events. They are not
 * read models, so nothing rebuilds them.
 */
export interface Reservations {
  /**
   * Reserves a name within a scope (for example kind `plan`, scope the project's id). Throws CONFLICT if it is taken.
   */
  claimName(kind: string, scope: string, name: string, ownerId: string): Promise<void>;
  /** Releases all names of the kind that the owner has reserved. */
  releaseNames(kind: string, ownerId: string): Promise<void>;
  /** Registers an entity, so that others can refer to it with `use`. */
  register(id: string, kind: string, projectId: string): Promise<void>;
  /** Records that `userId` needs the entity. Idempotent. Throws NOT_FOUND if the entity is removed. */
  use(entityId: string, userId: string): Promise<void>;
  /** Like `use` for each entity, in one statement. */
  useAll(entityIds: readonly string[], userId: string): Promise<void>;
  release(entityId: string, userId: string): Promise<void>;
  /** Blocks `use` of the entity by other transactions until this one ends. */
  lock(id: string): Promise<void>;
  /** Removes an entity. Throws the error of `inUse` while it is in use (ENDPOINT_IN_USE, SERVICE_IN_USE). */
  unregister(id: string, inUse: () => Error): Promise<void>;
}
