import { describe, expect, test } from '@jest/globals';
import { tableParts } from './tableParts.js';

const shown = `CREATE TABLE \`a (,\` (
  \`id\` int(11) NOT NULL AUTO_INCREMENT,
  \`co\`\`l,(\` enum('a,','b)','it''s') CHARACTER SET latin1 COLLATE latin1_bin DEFAULT 'a,' COMMENT 'it''s \\\\ (,',
  \`old\` datetime /* mariadb-5.3 */ DEFAULT NULL,
  \`n\` int(11) DEFAULT nextval(\`Db\`.\`Seq\`),
  \`g\` varchar(10) GENERATED ALWAYS AS (concat(\`old\`,',)')) STORED,
  PRIMARY KEY (\`id\`),
  UNIQUE KEY \`k,\` (\`n\`,\`old\`),
  CONSTRAINT \`f\` FOREIGN KEY (\`n\`) REFERENCES \`Other\` (\`Id\`) ON DELETE CASCADE,
  CONSTRAINT \`c\` CHECK (\`n\` > 0 and \`g\` <> ')'),
  PERIOD FOR SYSTEM_TIME (\`s\`, \`e\`)
) ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=COMPRESSED COMMENT='PARTITION (x=y' \`weird\`='1' WITH SYSTEM VERSIONING
 PARTITION BY HASH (\`id\`)
PARTITIONS 4`;

describe('SHOW CREATE TABLE', () => {
  const { parts, options } = tableParts(shown, new Map([['co`l,(', 'latin1_bin']]), { ignoresKeyOrder: false });

  test('is split only at the commas between its elements', () => {
    expect([...parts.keys()]).toEqual([
      ...['column id', 'column co`l,(', 'column old', 'column n', 'column g', 'primary key', 'index k,'],
      ...['foreign key f', 'check c', 'period SYSTEM_TIME', 'option COMMENT', 'option WEIRD'],
      ...['system versioning', 'partitions'],
    ]);
  });

  test('is reported without the texts that a server may write in different ways', () => {
    expect(parts.get('column co`l,(')).toBe(
      "enum('a,','b)','it''s') DEFAULT 'a,' COMMENT 'it''s \\\\ (,' COLLATE latin1_bin",
    );
    expect(parts.get('column old')).toBe('datetime DEFAULT NULL');
    expect(parts.get('column n')).toBe('int(11) DEFAULT nextval(`db`.`seq`)');
    expect(parts.get('foreign key f')).toContain('REFERENCES `other` (`Id`) ON DELETE CASCADE');
    expect(parts.get('option COMMENT')).toBe("'PARTITION (x=y'");
    expect(parts.get('partitions')).toBe('PARTITION BY HASH (`id`) PARTITIONS 4');
    expect(options.get('ROW_FORMAT')).toBe('COMPRESSED');
  });

  test('has the same parts if only the next AUTO_INCREMENT differs', () => {
    const other = tableParts(
      shown.replace('AUTO_INCREMENT=7', 'AUTO_INCREMENT=8'),
      new Map([['co`l,(', 'latin1_bin']]),
      { ignoresKeyOrder: false },
    );
    expect([...other.parts]).toEqual([...parts]);
  });

  test('is reported without the options that a storage engine ignores, which the server shows in comments', () => {
    const table = (ignored: boolean) => {
      const comment = (text: string) => (ignored ? ` /* ${text} */` : '');
      return tableParts(
        `CREATE TABLE \`t\` (
  \`a /* \`\`x\`\`='q' */\` int(11) DEFAULT NULL COMMENT 'y /* \`z\`=''1'' */'${comment("`foo`='it''s' `bar`='(,'")},
  KEY \`k\` (\`a\`)${comment("`b`='1'")}
) ENGINE=MyISAM COMMENT=' /* \`c\`=''1'' */'${comment("`page_compressed`='1'")}
 PARTITION BY HASH (\`a\`)`,
        new Map(),
        { ignoresKeyOrder: false },
      );
    };
    const without = table(false);
    expect([...table(true).parts]).toEqual([...without.parts]);
    expect([...without.parts.values()].join('\n')).toMatch(/'y \/\*.*' \/\*/s);
    expect([table(true).ignoresOptions, without.ignoresOptions]).toEqual([true, false]);
  });

  test('has the same parts in another order of its keys, and without words that InnoDB ignores, if the order is ignored', () => {
    const table = (keys: readonly string[], format: string) =>
      tableParts(
        `CREATE TABLE \`t\` (\n  \`b\` int DEFAULT NULL${format},\n  \`a\` int DEFAULT NULL COMMENT ' USING BTREE',\n  ${keys.join(',\n  ')}\n) ENGINE=InnoDB`,
        new Map(),
        { ignoresKeyOrder: true },
      ).parts;
    const one = table(['KEY `k` (`a`)', 'KEY `j` (`b`)'], '');
    const other = table(
      ['KEY `j` (`b`) USING BTREE', 'KEY `k` (`a`) KEY_BLOCK_SIZE=4'],
      ' /*!50606 STORAGE DISK */ /*!50606 COLUMN_FORMAT FIXED */',
    );
    expect([...other]).toEqual([...one]);
    expect([...one.keys()]).toEqual(['column b', 'column a', 'index j', 'index k']);
    expect(one.get('column a')).toContain("COMMENT ' USING BTREE'");
  });
});
