/** An error of pg_restore after which the restore continues, because nothing of the backup is lost. */
type HarmlessError = { readonly entry: RegExp; readonly sentence: RegExp; readonly reason: string };

/**
 * Every other error ends the restore. `entry` is the entry of the archive at which pg_restore failed, and `sentence` the
 * server's error.
 */
const harmlessErrors: readonly HarmlessError[] = [
  {
    entry: /^INITIALIZING$/,
    sentence: /ERROR: {2}unrecognized configuration parameter "transaction_timeout"$/,
    reason: 'pg_restore 17 and later switch off a limit that older servers do not have.',
  },
];

function isHarmless(entry: string, sentence: string): boolean {
  return harmlessErrors.some((each) => each.entry.test(entry) && each.sentence.test(sentence));
}

/** Follows the lines of pg_restore. `onFatal` is called once, at the first error that is not harmless. */
export function followErrors(onFatal: (entry: string, line: string) => void): {
  readonly onLine: (line: string) => void;
  /** All errors that pg_restore had were harmless: it reports the number of those that it ignored at its end. */
  readonly areAllHarmless: () => boolean;
} {
  let entry = 'INITIALIZING';
  let [harmless, isFatal, ignored] = [0, false, 0];
  return {
    areAllHarmless: () => !isFatal && harmless > 0 && harmless === ignored,
    onLine(line) {
      ignored = Number(/^pg_restore: warning: errors ignored on restore: (\d+)$/.exec(line)?.[1] ?? ignored);
      const [, from] = /^pg_restore: from TOC entry (.*)$/.exec(line) ?? [];
      if (from !== undefined) entry = from;
      if (!/^pg_restore: error: /.test(line) || isFatal) return;
      if (isHarmless(entry, line)) harmless += 1;
      else {
        isFatal = true;
        onFatal(entry, line);
      }
    },
  };
}

/** The section of an archive's entry, for example `post-data` for an index. */
export function sectionOf(entry: string): 'pre-data' | 'data' | 'post-data' {
  const [, what = ''] = /^\d+; \d+ \d+ (.*)$/.exec(entry) ?? [];
  if (/^(?:TABLE DATA|SEQUENCE SET|BLOBS?|BLOB DATA|LARGE OBJECT)\b/.test(what)) return 'data';
  const isLater =
    /^(?:INDEX|CONSTRAINT|FK CONSTRAINT|CHECK CONSTRAINT|TRIGGER|RULE|POLICY|ROW SECURITY|EVENT TRIGGER|PUBLICATION|SUBSCRIPTION|STATISTICS|MATERIALIZED VIEW DATA|INDEX ATTACH|ACL|DEFAULT ACL)\b/;
  return isLater.test(what) ? 'post-data' : 'pre-data';
}
