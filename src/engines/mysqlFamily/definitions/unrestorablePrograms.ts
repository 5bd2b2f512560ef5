import { quoteName } from '../privileges/grants.js';
import type { Named } from '../catalog/catalog.js';
import type { Product } from '../errors/wayOut.js';
import type { DatabaseDefinitions, Definitions } from './readDefinitions.js';
import { isComment, isQuoted, sqlTokens } from './sqlWords.js';
import type { Unrestorable } from './unrestorable.js';

type Program = Named & { readonly kind: string; readonly body: string; readonly sqlMode: string };

/** Stored programs that the dump tool writes in a way that the client or the server does not read. */
export function unrestorablePrograms(definitions: Definitions, product: Product): readonly Unrestorable[] {
  const programs = [...definitions.values()].flatMap(programsOf);
  return [
    ...programs.flatMap(hidesEndOfComment),
    ...(product === 'MySQL' ? [...programs.flatMap(endsInComment), ...unreadableEvents(definitions)] : []),
  ];
}

function programsOf({ routines, triggers, events }: DatabaseDefinitions): readonly Program[] {
  return [
    ...routines.map((each): Program => ({ ...each, kind: each.kind.toLowerCase() })),
    ...triggers.map((each): Program => ({ ...each, kind: 'trigger' })),
    ...events.map((each): Program => ({ ...each, kind: 'event' })),
  ];
}

/** The tool writes the delimiter into the line of the comment, so the statement does not end. */
function endsInComment(program: Program): readonly Unrestorable[] {
  const last = sqlTokens(program.body, program.sqlMode).at(-1) ?? '';
  if (!isComment(last) || last.startsWith('/*')) return [];
  return [
    {
      object: objectOf(program),
      why: 'its body ends in a comment with -- or #, and the dump tool writes the end of the statement into that comment',
      help: `Create ${nameOf(program)} again without the comment at its end, or with the comment in /* and */.`,
    },
  ];
}

/**
 * The tool writes a trigger or an event into a comment with a version. After a comment in such a comment, the client takes the
 * characters of a text for the end of the outer comment.
 */
function hidesEndOfComment(program: Program): readonly Unrestorable[] {
  if (program.kind !== 'trigger' && program.kind !== 'event') return [];
  const tokens = sqlTokens(program.body, program.sqlMode);
  const comment = tokens.findIndex((token) => token.startsWith('/*'));
  if (comment === -1 || !tokens.slice(comment).some((token) => isQuoted(token) && token.includes('*/'))) return [];
  return [
    {
      object: objectOf(program),
      why: "its body has a comment and later a text with '*/', which the client reads as the end of a comment (error 1064)",
      help: `Create ${nameOf(program)} again without the comment, or with the text as CONCAT('*', '/').`,
    },
  ];
}

/** The tool writes ON COMPLETION NOT PRESERVE, which MySQL does not read in the sql_mode of such an event. */
function unreadableEvents(definitions: Definitions): readonly Unrestorable[] {
  return [...definitions.values()].flatMap(({ events, objects }) =>
    events
      .filter(({ name, sqlMode }) => {
        const completion = objects['events']?.[name]?.parts?.['completion'];
        return /\bHIGH_NOT_PRECEDENCE\b/.test(sqlMode) && completion !== 'PRESERVE';
      })
      .map((event) => ({
        object: objectOf({ ...event, kind: 'event' }),
        why: 'it has the sql_mode HIGH_NOT_PRECEDENCE, in which MySQL does not read ON COMPLETION NOT PRESERVE (error 1064)',
        help: `Set another sql_mode and run ALTER EVENT ${quoteName(event.database)}.${quoteName(event.name)} with the same body, or with ON COMPLETION PRESERVE.`,
      })),
  );
}

function objectOf({ kind, database, name }: Program): string {
  return `${kind} ${database}.${name}`;
}

function nameOf({ kind, database, name }: Program): string {
  return `the ${kind} ${quoteName(database)}.${quoteName(name)}`;
}
