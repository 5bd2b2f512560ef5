/** Engines whose rows lie elsewhere: mariadb-dump writes only the definition of such a table. */
const definitionOnly = new Set(['mrg_myisam', 'mrg_isam', 'federated', 'connect', 'oqgraph', 'spider', 'vp']);

/** mariadb-dump leaves such a table out, or writes only its definition; that depends on its version. */
const maybeLeftOut = new Set(['s3']);

/** Engines whose time of the last change is kept with every write. Aria writes its files later; MEMORY has none. */
const tellingOfChanges = new Set(['innodb', 'myisam', 'archive']);

/** @param engine null: the table cannot be opened */
export function isDefinitionOnly(engine: string | null): boolean {
  return engine !== null && definitionOnly.has(engine.toLowerCase());
}

export function mayBeLeftOut(engine: string | null): boolean {
  return engine !== null && maybeLeftOut.has(engine.toLowerCase());
}

export function tellsOfChanges(engine: string | null): boolean {
  return engine !== null && tellingOfChanges.has(engine.toLowerCase());
}
