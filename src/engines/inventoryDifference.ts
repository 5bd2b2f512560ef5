export type InventoryDifference = {
  readonly path: string;
  readonly expected: string | null;
  readonly actual: string | null;
};

/** A difference together with what it is about. `expected` null: the target has what the backup does not. */
export type FoundDifference = InventoryDifference & {
  readonly what: 'DATABASE' | 'PROPERTY' | 'TABLE' | 'ROWS' | 'FIELD' | 'OBJECT' | 'DEFINITION';
  readonly database: string;
  /** `tables`, or the kind of `objects`. */
  readonly kind?: string;
  /** Of the table or object. */
  readonly name?: string;
  /** The property, the field of the table, or the part of the definition; absent: the definition as a whole. */
  readonly part?: string;
};

/** A difference by which the target holds less than the backup. */
export type Loss = {
  /** What is otherwise: the second half of a sentence, for example "the table 'shop.t' has no column 'c'". */
  readonly sentence: string;
  /** What to do in exactly this case. */
  readonly help: string;
};
