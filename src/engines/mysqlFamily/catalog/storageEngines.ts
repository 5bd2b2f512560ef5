/** The properties of a storage engine that matter for a backup (MariaDB manual, "Storage Engines"). */
type Traits = {
  /**
   * ELSEWHERE: mariadb-dump writes only the definition of such a table. UNSURE: depending on its version, the tool
   * leaves the table out or writes only its definition. NONE: the engine keeps no rows.
   */
  readonly rows: 'HERE' | 'ELSEWHERE' | 'UNSURE' | 'NONE';
  /** A consistent snapshot covers the rows. */
  readonly inSnapshot?: true;
  /**
   * The time of the last change is updated with every write. Aria writes its files later, and MEMORY has no such time.
   */
  readonly reportsChanges?: true;
  /** Options and comments of a table hold no password, except the option CONNECTION. */
  readonly withoutPasswords?: true;
};

const here = { rows: 'HERE', withoutPasswords: true } as const;
const elsewhere = { rows: 'ELSEWHERE' } as const;

const engines: ReadonlyMap<string, Traits> = new Map<string, Traits>([
  ['innodb', { ...here, inSnapshot: true, reportsChanges: true }],
  ['rocksdb', { ...here, inSnapshot: true }],
  ['tokudb', { rows: 'HERE', inSnapshot: true }],
  ['myisam', { ...here, reportsChanges: true }],
  ['archive', { ...here, reportsChanges: true }],
  ['aria', here],
  ['memory', here],
  ['csv', here],
  ['blackhole', { rows: 'NONE' }],
  ['s3', { rows: 'UNSURE' }],
  ['mrg_myisam', { rows: 'ELSEWHERE', withoutPasswords: true }],
  ...['mrg_isam', 'federated', 'connect', 'oqgraph', 'spider', 'vp'].map((name): [string, Traits] => [name, elsewhere]),
]);

/** @param engine null if the table cannot be opened */
function traitsOf(engine: string | null | undefined): Traits {
  return engines.get(engine?.toLowerCase() ?? '') ?? { rows: 'HERE' };
}

export function isDefinitionOnly(engine: string | null): boolean {
  return traitsOf(engine).rows === 'ELSEWHERE';
}

export function mayBeLeftOut(engine: string | null): boolean {
  return traitsOf(engine).rows === 'UNSURE';
}

export function reportsChanges(engine: string | null): boolean {
  return traitsOf(engine).reportsChanges === true;
}

/** Also true for an unknown engine and for a table that cannot be opened, because nothing is known about them. */
export function isOutsideSnapshot(engine: string | null | undefined): boolean {
  const { rows, inSnapshot } = traitsOf(engine);
  return rows === 'HERE' && inSnapshot !== true;
}

export function mayHoldPasswords(engine: string | null | undefined): boolean {
  return traitsOf(engine).withoutPasswords !== true;
}
