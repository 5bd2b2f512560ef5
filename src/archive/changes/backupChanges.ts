/** What changed on a database server since the previous backup. Names and numbers only. Plain JSON: backup.json holds it. */
export type BackupChanges = {
  /** The id of the job of the previous backup. */
  readonly since: string;
  /** For a person, without the name of the previous backup. */
  readonly sentence: string;
  /** Whether an exactly counted table has fewer rows, or an object no longer exists. */
  readonly fell: boolean;
  /** The rows of all tables of the previous backup whose number is known. */
  readonly rowsBefore: number;
  readonly rowsAfter: number;
  /** Whether one of these numbers contains an estimate, or omits a table that was not counted. */
  readonly rowsEstimated: boolean;
  /** At most `mostItems`: the largest falls first, then what is gone, redefined, new and larger. Long names are cut. */
  readonly items: readonly ChangedObject[];
  /** How many further objects changed. */
  readonly moreItems: number;
};

/** An object that differs from the previous backup. */
export type ChangedObject = {
  readonly database: string;
  /** `database`, `tables`, or the kind of another object in the inventory, for example `views`. */
  readonly kind: string;
  readonly name: string;
  readonly change: 'GONE' | 'NEW' | 'CHANGED';
  /** Null: not a table, not counted, or no such table at that time. */
  readonly rowsBefore: number | null;
  readonly rowsAfter: number | null;
  /** Whether one of the two numbers is an estimate. */
  readonly rowsEstimated: boolean;
  readonly definitionChanged: boolean;
};

export const mostItems = 100;
