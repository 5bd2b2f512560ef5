import { StowageError } from '../../../errors.js';
import type { Inventory } from '../../inventory.js';
import type { Names, Named } from '../catalog/catalog.js';
import { quoteName } from '../privileges/grants.js';
import type { Product } from '../errors/wayOut.js';
import { brokenForeignKeys } from './brokenForeignKeys.js';
import { generatedExpression } from './expressions.js';
import { sequencesInDefaults } from './needs.js';
import type { Definitions, TriggerTexts } from './readDefinitions.js';
import { partitionsWithOtherValues } from './partitionValues.js';
import { sqlWords } from './sqlWords.js';
import { subtractsFromUnsigned } from './unsignedDifference.js';
import type { Unrestorable } from './unrestorable.js';
import { unrestorablePrograms } from './unrestorablePrograms.js';

export type Circumstances = {
  readonly nameCase?: Inventory['nameCase'] | undefined;
  /** See `Dialect`. */
  readonly escapesDatabases: boolean;
  readonly product: Product;
};

/** The catalog and the definitions of one server, read one after the other. A definition may change in between. */
export type Read = { readonly catalog: Names; readonly definitions: Definitions };

/**
 * Throws TOOL_FAILED if the tool cannot dump an object, or if no server could restore the dump. Such a backup is
 * refused, and not stored with a warning, because a restore stops at the first statement that fails. A problem counts
 * only if a second reading shows it again.
 */
export async function refuseUnrestorable(
  found: Read,
  circumstances: Circumstances,
  readAgain: () => Promise<Read>,
): Promise<void> {
  const suspected = problemsOf(found, circumstances);
  if (suspected.length === 0) return;
  const again = new Set(problemsOf(await readAgain(), circumstances).map(({ object, why }) => `${object}: ${why}`));
  const problems = suspected.filter(({ object, why }) => again.has(`${object}: ${why}`));
  if (problems.length === 0) return;
  const shown = problems.slice(0, 10).map(({ object, why }) => `${object}: ${why}`);
  const more = problems.length > 10 ? `; and ${problems.length - 10} more` : '';
  const helps = [...new Set(problems.slice(0, 10).map(({ help }) => help))];
  throw new StowageError('TOOL_FAILED', `A dump of these objects cannot be restored: ${shown.join('; ')}${more}.`, {
    help: `${helps.join(' ')} Then start the backup again.`,
    details: { problems: problems.map(({ object, why }) => ({ object, why })) },
  });
}

function problemsOf(
  { catalog, definitions }: Read,
  { nameCase, escapesDatabases, product }: Circumstances,
): readonly Unrestorable[] {
  return [
    ...(escapesDatabases ? undumpableDatabases(catalog) : eventsInUndumpableDatabases(catalog)),
    ...endlessEvents(definitions),
    ...brokenTriggers(catalog, definitions),
    ...unrestorablePrograms(definitions, product),
    ...(product === 'MySQL' ? [...tablesWithoutValues(definitions), ...partitionsWithOtherValues(definitions)] : []),
    ...(nameCase === 'FOLDED' ? triggersOfOneName(catalog) : []),
    ...lateSequences(catalog, definitions),
    ...checkOptionsOnLaterViews(catalog),
    ...brokenForeignKeys(catalog, definitions),
    ...partitionsBelowZero(definitions),
  ];
}

/** The characters that mysql_real_escape_string precedes with a backslash. */
const escaped = ["'", '"', '\\', '\n', '\r', '\0', '\u001a'];

/** MySQL's tool escapes the name of every database before it selects it, and so ends with error 1049. */
function undumpableDatabases(catalog: Names): readonly Unrestorable[] {
  return catalog.databases
    .filter(({ name }) => escaped.some((sign) => name.includes(sign)))
    .map(({ name }) => ({
      object: `database ${name}`,
      why: 'the dump tool cannot dump a database whose name has a quote, a backslash or a line break (error 1049)',
      help: `Move the tables of '${name}' into a database with another name, or list the other databases in the service, so that only those are backed up.`,
    }));
}

/** The tool escapes the name of the database before it lists the events, and so ends with error 1049. */
function eventsInUndumpableDatabases(catalog: Names): readonly Unrestorable[] {
  const undumpable = catalog.databases
    .map(({ name }) => name)
    .filter((name) => escaped.some((sign) => name.includes(sign)));
  return undumpable.flatMap((database) => {
    const events = catalog.events.filter((event) => event.database === database);
    const [event] = events;
    if (event === undefined) return [];
    return [
      {
        object: `event ${qualified(event)}`,
        why: 'the dump tool cannot dump events of a database whose name has a quote, a backslash or a line break',
        help: `Move the tables of '${database}' into a database with another name, or drop its events: ${events
          .slice(0, 3)
          .map((each) => `DROP EVENT ${quoteName(each.database)}.${quoteName(each.name)};`)
          .join(' ')} Or list the other databases in the service, so that only those are backed up.`,
      },
    ];
  });
}

/**
 * The tool searches for a delimiter that the event does not contain. If it contains `;;`, the search never ends.
 */
function endlessEvents(definitions: Definitions): readonly Unrestorable[] {
  return [...definitions.values()].flatMap(({ events }) =>
    events
      .filter(({ texts }) => texts.some((text) => text.includes(';;')))
      .map((event) => ({
        object: `event ${qualified(event)}`,
        why: 'the dump tool runs for ever if an event has two semicolons side by side in its name, comment or body',
        help: `Write the event ${quoteName(event.database)}.${quoteName(event.name)} without them (in a string ';' ';' is the same as ';;'), or drop it.`,
      })),
  );
}

/** The dump of such a table has rows without values. MariaDB reads them, and MySQL does not (1064). */
function tablesWithoutValues(definitions: Definitions): readonly Unrestorable[] {
  return [...definitions].flatMap(([database, { tables }]) =>
    [...tables].flatMap(([table, { parts }]): readonly Unrestorable[] => {
      const columns = [...parts].filter(([part]) => part.startsWith('column '));
      if (columns.length === 0 || columns.some(([, text]) => generatedExpression(text) === undefined)) return [];
      return [
        {
          object: `table ${database}.${table}`,
          why: 'all its columns are generated, and MySQL cannot read rows without values (error 1064)',
          help: `Add a column that is not generated, or drop the table ${quoteName(database)}.${quoteName(table)}.`,
        },
      ];
    }),
  );
}

/**
 * The trigger uses `NEW.c`, but the table no longer has a column c: every INSERT fails, and so does CREATE TRIGGER
 * (1054).
 */
function brokenTriggers(catalog: Names, definitions: Definitions): readonly Unrestorable[] {
  return catalog.databases.flatMap(({ name: database }) => {
    const own = definitions.get(database);
    return (own?.triggers ?? []).flatMap((trigger): readonly Unrestorable[] => {
      const parts = own?.tables.get(trigger.table)?.parts;
      if (parts === undefined) return [];
      const columns = new Set([...[...parts.keys()].flatMap(columnIn), ...hiddenColumns(parts)]);
      const missingColumn = referencedColumns(trigger).find(({ name }) => !columns.has(name.toLowerCase()));
      if (missingColumn === undefined) return [];
      const statement = `DROP TRIGGER ${quoteName(database)}.${quoteName(trigger.name)};`;
      return [
        {
          object: `trigger ${database}.${trigger.name}`,
          why: `its table '${trigger.table}' has no column '${missingColumn.name}', which it uses as ${missingColumn.row}.${missingColumn.name} (error 1054)`,
          help: `Correct the trigger, or drop it: ${statement}`,
        },
      ];
    });
  });
}

function columnIn(part: string): readonly string[] {
  return part.startsWith('column ') ? [part.slice('column '.length).toLowerCase()] : [];
}

/**
 * A system-versioned table may have no declared columns for its period. Then it has two of its own, which SHOW CREATE
 * does not show.
 */
function hiddenColumns(parts: ReadonlyMap<string, string>): readonly string[] {
  return parts.has('system versioning') && !parts.has('period SYSTEM_TIME') ? ['row_start', 'row_end'] : [];
}

/** Names after `new` are not checked if `new` may also be a database or an alias in the statement. */
function referencedColumns({
  body,
  sqlMode,
}: TriggerTexts): readonly { readonly row: string; readonly name: string }[] {
  const words = sqlWords(body, sqlMode);
  const isQualifier = (index: number) => words[index + 1] === '.' && words[index - 1] !== '.';
  return ['NEW', 'OLD'].flatMap((row) => {
    const places = words.flatMap((word, index) => (word.toUpperCase() === row ? [index] : []));
    const isOther = places.some((index) => !isQualifier(index) || beforeTable.test(words[index - 1] ?? ''));
    return isOther ? [] : places.map((index) => ({ row, name: words[index + 2] ?? '' }));
  });
}

const beforeTable = /^(from|join|into|update|table|call|ignore)$/i;

/** A server that folds names shows the text of one of two such triggers for both. So the dump contains it twice. */
function triggersOfOneName(catalog: Names): readonly Unrestorable[] {
  const seen = new Set<string>();
  return catalog.triggers.flatMap((trigger) => {
    const key = qualified(trigger).toLowerCase();
    if (!seen.has(key)) {
      seen.add(key);
      return [];
    }
    return [
      {
        object: `trigger ${qualified(trigger)}`,
        why: 'another trigger of the database differs from it only in letter case, and this server shows only one of the two',
        help: `Give one of the triggers another name.`,
      },
    ];
  });
}

/**
 * The dump creates the sequences of a database before its tables, and one database after the other. So a sequence of a
 * later database is missing (1146).
 */
function lateSequences(catalog: Names, definitions: Definitions): readonly Unrestorable[] {
  const order = new Map(catalog.databases.map(({ name }, index) => [name.toLowerCase(), index]));
  const there = new Set(catalog.sequences.map((sequence) => qualified(sequence).toLowerCase()));
  return catalog.databases.flatMap(({ name: database }, index) =>
    sequencesInDefaults(database, definitions.get(database)).flatMap(({ table, sequence }): readonly Unrestorable[] => {
      const place = order.get(sequence.database.toLowerCase());
      if (place === undefined) return [];
      const object = `table ${database}.${table}`;
      const named = `${sequence.database}.${sequence.name}`;
      if (!there.has(named.toLowerCase())) {
        return [
          {
            object,
            why: `the default of a column uses the sequence '${named}', which does not exist (error 1146)`,
            help: `Create the sequence, or change the default of the column.`,
          },
        ];
      }
      if (place <= index) return [];
      return [
        {
          object,
          why: `the default of a column uses the sequence '${named}' of a database that is dumped after it (error 1146)`,
          help: `Create the sequence in the database of the table and use it in the default, or back up '${database}' in a service of its own.`,
        },
      ];
    }),
  );
}

/** When the view is created, the other view is still a stand-in, which allows no CHECK OPTION (1368). */
function checkOptionsOnLaterViews(catalog: Names): readonly Unrestorable[] {
  return catalog.views
    .filter(({ withCheckOption }) => withCheckOption)
    .flatMap((view) => {
      const later = catalog.views.find(
        (other) =>
          other.database === view.database &&
          other.name > view.name &&
          view.definition.includes(`${quoteName(other.database)}.${quoteName(other.name)}`),
      );
      if (later === undefined) return [];
      return [
        {
          object: `view ${qualified(view)}`,
          why: `it is WITH CHECK OPTION on the view '${later.name}', which the dump creates after it (error 1368)`,
          help: `Give the view '${view.name}' a name that sorts after '${later.name}', or make it without CHECK OPTION.`,
        },
      ];
    });
}

/** Only a session with NO_UNSIGNED_SUBTRACTION can open such a table (1563). The dump tool sets its own sql_mode. */
function partitionsBelowZero(definitions: Definitions): readonly Unrestorable[] {
  return [...definitions].flatMap(([database, { tables }]) =>
    [...tables]
      .filter(([, { parts }]) => {
        const partitions = parts.get('partitions') ?? '';
        return (
          /VALUES (?:LESS THAN|IN) \((?:[^)']*,)?-/.test(partitions) && subtractsFromUnsigned({ parts }, partitions)
        );
      })
      .map(([table]) => ({
        object: `table ${database}.${table}`,
        why: 'its partitions subtract from an UNSIGNED column and have negative limits, so only a session with the sql_mode NO_UNSIGNED_SUBTRACTION can open it (error 1563)',
        help: `Make the column of the partitions signed, or partition ${quoteName(database)}.${quoteName(table)} in another way.`,
      })),
  );
}

function qualified({ database, name }: Named): string {
  return `${database}.${name}`;
}
