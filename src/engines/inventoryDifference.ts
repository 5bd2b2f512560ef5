export type InventoryDifference = {
  readonly path: string;
  readonly expected: string | null;
  readonly actual: string | null;
};

/**
 * A difference and the object that differs. `expected` is null if the target has something that the backup does not
 * have.
 */
export type FoundDifference = InventoryDifference & {
  readonly what: 'DATABASE' | 'PROPERTY' | 'TABLE' | 'ROWS' | 'FIELD' | 'OBJECT' | 'DEFINITION';
  readonly database: string;
  /** `tables`, or the kind of `objects`. */
  readonly kind?: string;
  /** The name of the table or object. */
  readonly name?: string;
  /** The property, the field of the table, or the part of the definition. Absent: the definition as a whole. */
  readonly part?: string;
};

/** A difference that means the target holds less than the backup. */
export type Loss = {
  /** The second half of a sentence, for example "the table 'shop.t' has no column 'c'". */
  readonly sentence: string;
  /** What to do in exactly this case. */
  readonly help: string;
};
