import { leftOut, withoutQuoted } from '../../../withoutValues.js';

/** An error of MariaDB's server or client library. */
export type ServerError = {
  readonly number: number;
  /** The SQLSTATE: five characters. Undefined: not reported. */
  readonly sqlState?: string | undefined;
  readonly text: string;
};

/**
 * Removes values from a server's sentence. Names of databases, tables, columns, keys and users stay; everything that
 * may be data becomes `…`. A trigger may raise any text under any number (SIGNAL), so the sentence of a known number
 * stays only if it has the server's own wording. The sentence of an unknown number is cut before the first quotation
 * mark.
 * @param ours values that we sent ourselves; they are kept
 */
export function serverSentence({ number, sqlState, text }: ServerError, ours: readonly string[] = []): string {
  if (isClientNumber(number)) return text;
  const known = templates.get(number);
  if ((isFreeText(number) && known === undefined) || !isServersState(sqlState)) return withoutSentence;
  if (known === undefined) return withoutQuoted(text);
  for (const { pattern, render } of known) {
    const found = pattern.exec(text.trim());
    if (found !== null) return render(found, ours);
  }
  return withoutSentence;
}

const withoutSentence = `${leftOut} (the sentence may hold data and is left out)`;

/** Errors of the client library (MariaDB manual, "Client Errors") mention hosts, TLS and packets, never data. */
function isClientNumber(number: number): boolean {
  return number >= 2000 && number < 2100;
}

/**
 * Errors whose text a user may write: 1643 and 1644 belong to SIGNAL, 1429 to 1434 contain a connection string, 1105,
 * 1220, 1815 and 4027 may contain any text, and the server itself does not use higher numbers.
 */
function isFreeText(number: number): boolean {
  const free = [1105, 1188, 1220, 1429, 1430, 1431, 1432, 1433, 1434, 1626, 1627, 1643, 1644, 1810, 1811, 1815, 4027];
  return number < 1004 || number >= 5000 || free.includes(number);
}

/** Classes of SQLSTATE that the server uses itself; 45 is meant for SIGNAL. */
function isServersState(sqlState: string | undefined): boolean {
  return sqlState === undefined || /^(?:0|2|3|4[0-4]|7|HY|XA)/.test(sqlState);
}

type Template = {
  readonly pattern: RegExp;
  readonly render: (found: RegExpExecArray, ours: readonly string[]) => string;
};

/**
 * `<name>` is an identifier, `<words>` are the server's own words, and `<number>` is digits. These three are kept.
 * `<value>` is removed. The texts come from MariaDB 10.2 to 11.4 (its manual, "MariaDB Error Codes").
 */
function template(text: string): Template {
  const slots = [...text.matchAll(/<(name|words|number|value)>/g)].map(([, kind]) => kind);
  const source = text
    .split(/<(?:name|words|number|value)>/)
    .map((fixed) => fixed.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .reduce((all, fixed, index) => `${all}(${slotPatterns[slots[index - 1] ?? ''] ?? ''})${fixed}`);
  return {
    pattern: new RegExp(`^${source}$`, 's'),
    render: (found, ours) => {
      let place = 0;
      return text.replace(/<(?:name|words|number|value)>/g, (slot) => {
        place += 1;
        const shownValue = found[place] ?? leftOut;
        return slot !== '<value>' || ours.includes(shownValue) ? shownValue : leftOut;
      });
    },
  };
}

const slotPatterns: Readonly<Record<string, string>> = {
  name: '[^\\n]{0,400}?',
  words: '[\\w ,.()*/-]{1,120}?',
  number: '\\d+',
  value: '.*',
};

const templates: ReadonlyMap<number, readonly Template[]> = new Map(
  Object.entries({
    // Errors of the server's file functions.
    1: ["Can't create/write to file '<name>' (Errcode: <number> \"<words>\")"],
    3: ['Error writing file \'<name>\' (Errcode: <number> "<words>")'],
    20: ['Disk is full writing \'<name>\' (Errcode: <number> "<words>"). Waiting for someone to free space...'],
    29: ['File \'<name>\' not found (Errcode: <number> "<words>")'],
    1026: ['Error writing file \'<name>\' (errno: <number> "<words>")'],
    1005: ['Can\'t create table `<name>`.`<name>` (errno: <number> "<words>")'],
    1006: ["Can't create database '<name>' (errno: <number> \"<words>\")"],
    1007: ["Can't create database '<name>'; database exists"],
    1008: ["Can't drop database '<name>'; database doesn't exist"],
    1020: ["Record has changed since last read in table '<name>'; try restarting transaction"],
    1021: ['Disk full (<name>); waiting for someone to free some space... (errno: <number> "<words>")'],
    1022: ["Can't write; duplicate key in table '<name>'"],
    1030: ['Got error <number> "<words>" from storage engine <words>'],
    1031: ["Storage engine <words> of the table `<name>`.`<name>` doesn't have this option"],
    1033: ["Incorrect information in file: '<name>'"],
    1034: ["Index for table '<name>' is corrupt; try to repair it"],
    1036: ["Table '<name>' is read only"],
    1044: ["Access denied for user '<name>'@'<name>' to database '<name>'"],
    1045: [
      "Access denied for user '<name>'@'<name>' (using password: <words>)",
      "Access denied for user '<name>'@'<name>'",
      // Texts of the client library, under numbers of the server.
      'Plugin <name> could not be loaded: <name>',
      "Authentication plugin '<name>' cannot be loaded: <name>",
    ],
    1048: ["Column '<name>' cannot be null"],
    1049: ["Unknown database '<name>'"],
    1050: ["Table '<name>' already exists"],
    1051: ["Unknown table '<name>'"],
    1054: ["Unknown column '<name>' in '<words>'"],
    1059: ["Identifier name '<name>' is too long"],
    1060: ["Duplicate column name '<name>'"],
    1061: ["Duplicate key name '<name>'"],
    1062: ["Duplicate entry '<value>' for key '<name>'", "Duplicate entry '<value>' for key <number>"],
    1064: [
      "You have an error in your SQL syntax; check the manual that corresponds to your <words> server version for the right syntax to use near '<value>' at line <number>",
    ],
    1067: ["Invalid default value for '<name>'"],
    1072: ["Key column '<name>' doesn't exist in table", "Key column '<name>' doesn't exist in table '<name>'"],
    1074: ["Column length too big for column '<name>' (max = <number>); use BLOB or TEXT instead"],
    1100: ["Table '<name>' was not locked with LOCK TABLES"],
    1102: ["Incorrect database name '<name>'"],
    1103: ["Incorrect table name '<name>'"],
    1109: ["Unknown table '<name>' in <words>"],
    1114: ["The table '<name>' is full"],
    1115: ["Unknown character set: '<name>'"],
    1129: ["Host '<name>' is blocked because of many connection errors; unblock with '<words>'"],
    1130: ["Host '<name>' is not allowed to connect to this <words> server"],
    1142: [
      "<words> command denied to user '<name>'@'<name>' for table `<name>`.`<name>`",
      "<words> command denied to user '<name>'@'<name>' for table '<name>'",
    ],
    1143: ["<words> command denied to user '<name>'@'<name>' for column '<name>' in table '<name>'"],
    1146: ["Table '<name>' doesn't exist"],
    1153: ["Got a packet bigger than 'max_allowed_packet' bytes"],
    1162: ["Result string is longer than 'max_allowed_packet' bytes"],
    1170: ["BLOB/TEXT column '<name>' used in key specification without a key length"],
    1180: ['Got error <number> "<words>" during COMMIT', "Got error <number> '<words>' during COMMIT"],
    1193: ["Unknown system variable '<name>'"],
    1194: ["Table '<name>' is marked as crashed and should be repaired"],
    1195: ["Table '<name>' is marked as crashed and last (automatic?) repair failed"],
    1203: ["User <name> already has more than 'max_user_connections' active connections"],
    1226: ["User '<name>' has exceeded the '<words>' resource (current value: <number>)"],
    1227: ['Access denied; you need (at least one of) the <words> privilege(s) for this operation'],
    1231: ["Variable '<name>' can't be set to the value of '<value>'"],
    1235: ["This version of MariaDB doesn't yet support '<words>'"],
    1253: ["COLLATION '<name>' is not valid for CHARACTER SET '<name>'"],
    1264: ["Out of range value for column '<name>' at row <number>"],
    1265: ["Data truncated for column '<name>' at row <number>"],
    1267: ["Illegal mix of collations (<words>) and (<words>) for operation '<words>'"],
    1273: ["Unknown collation: '<name>'"],
    1286: ["Unknown storage engine '<name>'"],
    1289: ["The '<words>' feature is disabled; you need <words> built with '<words>' to have it working"],
    1290: [
      'The <words> server is running with the <words> option so it cannot execute this statement',
      'The MariaDB server is running with the <words> option so it cannot execute this statement',
    ],
    1292: [
      "Truncated incorrect <words> value: '<value>'",
      "Incorrect <words> value: '<value>' for column <value> at row <number>",
      "Incorrect <words> value: '<value>'",
    ],
    1298: ["Unknown or incorrect time zone: '<name>'"],
    1304: ['<words> <name> already exists'],
    1305: ['<words> <name> does not exist'],
    1347: ["'<name>' is not of type '<words>'"],
    1291: ["Column '<name>' has duplicated value '<value>' in <words>"],
    1300: ["Invalid <words> character string: '<value>'"],
    1356: [
      "View '<name>' references invalid table(s) or column(s) or function(s) or definer/invoker of view lack rights to use them",
    ],
    1359: ["Trigger '<name>' already exists", 'Trigger already exists'],
    1362: ['Updating of <words> row is not allowed in <words>trigger'],
    1364: ["Field '<name>' doesn't have a default value"],
    1366: [
      "Incorrect <words> value: '<value>' for column `<name>`.`<name>`.`<name>` at row <number>",
      "Incorrect <words> value: '<value>' for column '<name>' at row <number>",
    ],
    1367: ["Illegal <words> '<value>' value found during parsing"],
    1368: ['CHECK OPTION on non-updatable view `<name>`.`<name>`', "CHECK OPTION on non-updatable view '<name>'"],
    1369: ['CHECK OPTION failed `<name>`.`<name>`', "CHECK OPTION failed '<name>'"],
    1370: ["<words> command denied to user '<name>'@'<name>' for routine '<name>'"],
    1406: ["Data too long for column '<name>' at row <number>"],
    1411: ["Incorrect <words> value: '<value>' for function <words>"],
    1449: ["The user specified as a definer ('<name>'@'<name>') does not exist"],
    1451: ['Cannot delete or update a parent row: a foreign key constraint fails (<name>)'],
    1452: ['Cannot add or update a child row: a foreign key constraint fails (<name>)'],
    1478: ["Table storage engine '<name>' does not support the create option '<words>'"],
    1524: ["Plugin '<name>' is not loaded"],
    1525: ["Incorrect <words> value: '<value>'"],
    1526: ['Table has no partition for value <value>'],
    1537: ["Event '<name>' already exists"],
    1539: ["Unknown event '<name>'"],
    1569: ["ALTER TABLE causes auto_increment resequencing, resulting in duplicate entry '<value>' for key '<name>'"],
    1586: ["Duplicate entry '<value>' for key '<name>'"],
    1690: ["<words> value is out of range in '<value>'"],
    1698: ["Access denied for user '<name>'@'<name>'"],
    1814: ['Tablespace has been discarded for table `<name>`', "Tablespace has been discarded for table '<name>'"],
    1813: ["Tablespace for table '<name>' exists. Please DISCARD the tablespace before IMPORT"],
    1901: ["Function or expression '<value>' cannot be used in the <words> clause of `<name>`"],
    1911: ["Unknown option '<name>'"],
    1912: ["Incorrect value '<value>' for option '<name>'"],
    1916: ["Got overflow when converting '<value>' to <words>. Value truncated"],
    1917: ["Truncated value '<value>' when converting to <words>"],
    1918: ["Encountered illegal value '<value>' when converting to <words>"],
    1932: ["Table '<name>' doesn't exist in engine"],
    1970: ['<words> does not support subqueries or stored functions'],
    4025: ['CONSTRAINT `<name>` failed for `<name>`.`<name>`'],
    4028: ['Got an error when calculating default value for `<name>`'],
    4084: ["Sequence '<name>' has run out"],
    4091: ["Unknown SEQUENCE: '<name>'"],
    4110: ["Unknown data type: '<name>'"],
    4161: ["Unknown data type: '<name>'"],
  }).map(([number, texts]) => [Number(number), texts.map(template)]),
);
