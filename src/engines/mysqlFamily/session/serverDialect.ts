import type { Row } from '../../conversation/answer.js';
import type { ServerAddress } from '../../network/serverAddress.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import type { Grants } from '../privileges/grants.js';
import type { FoundSettings, SettingRule } from './serverSettings.js';

/** One connection of ours to a server, for queries. The data of a dump never passes through it. */
export type Session = {
  /** The address that answered. A tool gets this address, so that it cannot connect to another server. */
  readonly server: ServerAddress;
  /**
   * The settings after the login, before the session sets anything. A tool with the same account starts with these
   * settings.
   */
  readonly found: FoundSettings;
  readonly dialect: ServerDialect;
  /**
   * `?` in the statement stands for a value. All rows of a compound statement are returned as one list. Throws an error
   * of the server as a StowageError (see `isServerError`).
   */
  query(
    sql: string,
    values?: readonly (string | number | readonly string[])[],
    options?: QuestionLimits,
  ): Promise<readonly Row[]>;
  close(): void;
};

export type QuestionLimits = {
  /** The time limit for an answer. After it the session is closed. Default 120 s. */
  readonly timeoutMs?: number;
  /** The memory limit for an answer. A larger answer closes the session. Default 64 MiB. */
  readonly maxBytes?: number;
  /** Receives the rows of a long answer in batches of some hundred rows. The result is then empty. */
  readonly onRows?: (rows: readonly Row[]) => void;
};
/** The limits of a SELECT. */
export type SelectLimits = {
  /** At least 0.01. */
  readonly seconds: number;
  readonly lockWaitSeconds?: number;
  /** It reads few rows, so the server should not start threads for it. */
  readonly readsFewRows?: boolean;
  /** Variables that have these values, as SQL, while the statement runs. */
  readonly variables?: Readonly<Record<string, string>>;
};

/** Everything in which the servers of MariaDB and MySQL differ. `Dialect` adds what needs more than a session. */
export type ServerDialect = {
  readonly product: 'MariaDB' | 'MySQL';
  /** The names of the tools in messages. */
  readonly dumpTool: string;
  readonly clientTool: string;

  /** The variables that the results of statements depend on. */
  readonly settings: readonly SettingRule[];
  /** The expressions that a definition may contain, although their values depend on the session. */
  readonly expressions: {
    /** Functions besides those of both servers, in lower case. */
    readonly sessionWords: readonly string[];
    /** A CHAR may have spaces at its end (PAD_CHAR_TO_FULL_LENGTH). */
    readonly padsChars: boolean;
  };
  /** The settings of a new session. The first query of a session: it runs with the settings of the server. */
  findSettings(query: Session['query']): Promise<FoundSettings>;
  /** Throws TOOL_VERSION if the server is not one that this dialect supports. */
  refuseUnsupportedServer(
    connection: ServiceConnection,
    askVersion: () => Promise<string>,
    found: FoundSettings,
  ): Promise<void>;
  /** The privilege without which `init_connect` runs for a session, as a GRANT names it. */
  readonly skipsInitConnect: (found: FoundSettings) => string;
  ignoresReadOnly(found: FoundSettings, grants: Grants): boolean;

  /** Runs a SELECT with limits. After `seconds` it ends with one of the errors 1969 and 3024. */
  limitedSelect(
    session: Session,
    select: string,
    limits: SelectLimits,
    options?: QuestionLimits,
  ): Promise<readonly Row[]>;
  /**
   * Runs statements such as SHOW CREATE TABLE and returns all their rows. A statement that fails has no rows. No lock
   * outlives its own statement.
   */
  showAll(session: Session, statements: readonly string[]): Promise<readonly Row[]>;
  /**
   * SHOW CREATE shows the names of routines and triggers, and the table of a trigger, in utf8, and not in the character set
   * of the client that created them.
   */
  readonly writesNamesInUtf8: boolean;
  /**
   * The version of the normalisation of definitions. Raise it whenever the same object would get another hash. Hashes of
   * different versions are not compared.
   */
  readonly normalisation: number;
  /** See `tableParts`. */
  readonly ignoresKeyOrder: boolean;
  /**
   * Present: the texts of SHOW CREATE TABLE for most of very many tables of a database, read faster than one by one. They
   * lack only what `tableParts` ignores.
   */
  readonly readTablesInBulk?: (
    session: Session,
    database: string,
    tables: readonly string[],
  ) => Promise<ReadonlyMap<string, string>>;
  /** The expression for the algorithm of a view in information_schema.views. */
  readonly viewAlgorithm: string;
  /** The expression for the number of the server's connections. */
  readonly connectionsNow: string;
  /** A query that has a row if a transaction keeps the locks of what it has read. */
  readonly keepsLocks: string;
  /** Queries about sessions and locks (see `lockPicture.ts`). */
  readonly locks: {
    /** Has the parameters: the connection of the tool, and whether all sessions are listed. */
    readonly sessions: string;
    readonly granted: string | null;
    readonly pending: string;
    /** How a person lets the server show more. */
    readonly advice: string;
  };

  /** SELECT on performance_schema is what an account lacks to see locks. */
  readonly locksAreTables: boolean;

  /** The grants of the session's user, including those of active roles: one line in each row. */
  showGrants(session: Session): Promise<readonly Row[]>;
  /** The privileges for reading the bodies of all routines. */
  readsRoutines(grants: Grants): boolean;
  /** The privilege that makes `readsRoutines` true, as in a GRANT. */
  readonly routinesPrivilege: string;
  /** The privilege to create objects of other definers that the user lacks on this release. */
  lackingForDefiners(release: number, grants: Grants): string | undefined;

  /** The privileges that the user lacks because one of these definers belongs to the system. */
  lackingForDefinersOfSystem(session: Session, definers: readonly string[], grants: Grants): Promise<readonly string[]>;
  /** What a GRANT for backups names besides the privileges on databases. */
  readonly backupGrants: readonly string[];
  /** What a GRANT for restores names besides the privileges on databases, on this release. */
  restoreGrants(release: number): readonly string[];
  /** The settings of a target session. A variable that this account may not set there has `ofSession` false. */
  settableFor(session: Session): Promise<FoundSettings>;
  /** The first release that supports each feature that an inventory may need. */
  readonly features: ReadonlyMap<string, number>;
  /** The number of a release, for comparison, from the version of a server. */
  readonly releaseOf: (version: string) => number;
  /** The release of that number, for a person. */
  readonly releaseName: (release: number) => string;
  /** What a person should do if the target lacks a storage engine. */
  engineInstallation(engine: string): string;
};
