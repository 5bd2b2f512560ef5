/**
 * A system variable that changes the result of a SELECT, changes the values that a statement stores, or aborts a
 * statement, with our action for it. Each engine has a table of them.
 *
 * A statement omits a variable if the server does not know it, or if a session cannot set it there.
 */
export type SettingRule = {
  readonly name: string;
  /** The effect of the variable. */
  readonly why: string;
  /** The value, as SQL, that our own sessions set. */
  readonly ours?: string;
  /** The value, as SQL, that the session of the restore tool sets. Variables that the dump itself sets have none. */
  readonly restore?: string;
  /** The inventory keeps the source's value, and the session of the restore tool sets it. */
  readonly recorded?: true;
  /**
   * Whether the value cuts, changes or ends a dump. We cannot set variables in the session of the dump tool, which sets
   * only a few itself.
   */
  readonly spoilsDump?: (value: string, tool: Version, found: FoundSettings) => boolean;
  /** The kind of objects that a dump must contain to be affected. Absent: every dump is affected. */
  readonly onlyFor?: 'FOREIGN_NAMES' | 'VERSIONED_TABLES' | 'HIDDEN_KEYS';
  /** The variable is set only on servers for which this is true. Absent: on every server that has it. */
  readonly onlyWhere?: (value: string, server: Version) => boolean;
  /** The effect on the dump, as the end of a sentence. */
  readonly effect?: string;
  /** A harmless value. Absent: DEFAULT. */
  readonly harmless?: string;
};

export type Version = readonly [major: number, minor: number];

/**
 * The value of a variable in a new session, after the server's defaults and `init_connect`, and before the session sets
 * anything.
 */
export type FoundSetting = {
  readonly value: string;
  /** The global value of the server, if the variable has one. */
  readonly global: string | null;
  readonly ofSession: boolean;
};
export type FoundSettings = ReadonlyMap<string, FoundSetting>;

/** The first statement of our own sessions. It undoes what `init_connect` may have set. */
export function ownSessionStatement(rules: readonly SettingRule[], found: FoundSettings): string {
  return `SET NAMES utf8mb4 COLLATE utf8mb4_general_ci, ${assignments(rules, found, 'ours').join(', ')}`;
}

/** The assignments of the restore tool's session, for `SET SESSION …`, on a server with these settings. */
export function restoreAssignments(
  rules: readonly SettingRule[],
  found: FoundSettings,
  recorded: Readonly<Record<string, string>> = {},
): string {
  return [...assignments(rules, found, 'restore'), ...recordedAssignments(rules, found, recorded)].join(', ');
}

/** The assignments of the settings of the source (`recordedSettings`), in a session with these settings. */
export function recordedAssignments(
  rules: readonly SettingRule[],
  found: FoundSettings,
  recorded: Readonly<Record<string, string>>,
): readonly string[] {
  return rules.flatMap(({ name, recorded: ofSource }) => {
    const value = recorded[name];
    if (ofSource !== true || value === undefined || found.get(name)?.ofSession !== true) return [];
    // Other people may write to the container, and so change backup.json. Only numbers and words of letters are used in
    // a statement.
    return /^[\w,-]*$/.test(value) ? [`${name}=${/^\d+$/.test(value) ? value : `'${value}'`}`] : [];
  });
}

/** The settings of the source that the inventory records, for `restoreAssignments`. */
export function recordedSettings(
  rules: readonly SettingRule[],
  found: FoundSettings,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    rules.flatMap(({ name, recorded }) => {
      const setting = found.get(name);
      return recorded !== true || setting === undefined ? [] : [[name, setting.global ?? setting.value]];
    }),
  );
}

function assignments(
  rules: readonly SettingRule[],
  found: FoundSettings,
  whose: 'ours' | 'restore',
): readonly string[] {
  return rules.flatMap((rule) => {
    const value = rule[whose];
    const setting = found.get(rule.name);
    if (value === undefined || setting?.ofSession !== true) return [];
    if (rule.onlyWhere !== undefined && !rule.onlyWhere(setting.value, versionOf(found))) return [];
    return [`${rule.name}=${value}`];
  });
}

/** A setting that cuts, changes or ends a dump, described for a person. */
export type SpoilingSetting = {
  readonly name: string;
  readonly value: string;
  readonly effect: string;
  /** What a person should do about it. */
  readonly remedy: string;
  readonly onlyFor: SettingRule['onlyFor'];
};

type Privileged = {
  readonly settings: readonly SettingRule[];
  /** See `ServerDialect`. */
  readonly skipsInitConnect: (found: FoundSettings) => string;
};

/** The settings of a fresh session of the same account that would cut, change or end a dump. */
export function settingsThatSpoilDumps(
  dialect: Privileged,
  found: FoundSettings,
  tool: Version,
): readonly SpoilingSetting[] {
  return dialect.settings.flatMap(({ name, spoilsDump, onlyFor, effect = '', harmless = 'DEFAULT' }) => {
    const setting = found.get(name);
    if (setting === undefined || spoilsDump?.(setting.value, tool, found) !== true) return [];
    return [
      { name, value: setting.value, effect, remedy: remedyFor(dialect, name, setting, harmless, found), onlyFor },
    ];
  });
}

function remedyFor(
  { skipsInitConnect }: Privileged,
  name: string,
  setting: FoundSetting,
  harmless: string,
  found: FoundSettings,
): string {
  const initConnect = found.get('init_connect')?.value ?? '';
  if (initConnect !== '' && (setting.global !== setting.value || mentions(initConnect, name))) {
    return (
      `init_connect of the server sets ${name}: remove it there, or grant the user ` +
      `${skipsInitConnect(found)}, for whose sessions init_connect does not run.`
    );
  }
  if (name === 'character_set_client') {
    return (
      'Remove skip-character-set-client-handshake from the configuration of the server and restart it, or set its ' +
      'default utf8mb4: SET GLOBAL character_set_server = utf8mb4, character_set_client = utf8mb4;'
    );
  }
  return `Run on the server: SET GLOBAL ${name} = ${harmless}; and remove ${name} from its configuration (my.cnf).`;
}

function mentions(statement: string, name: string): boolean {
  if (name === 'character_set_client' && /\bnames\b|\bcharset\b|character\s+set/i.test(statement)) return true;
  return statement.toLowerCase().includes(name);
}

/** "10.11" of "10.11.19-MariaDB-log". A server that hides its version counts as old. */
export function versionOf(found: FoundSettings): Version {
  const numbers = /^(?:5\.5\.5-)?(\d+)\.(\d+)/.exec(found.get('version')?.value ?? '');
  return [Number(numbers?.[1] ?? 0), Number(numbers?.[2] ?? 0)];
}

export function isOlder(version: Version, than: Version): boolean {
  return version[0] < than[0] || (version[0] === than[0] && version[1] < than[1]);
}
