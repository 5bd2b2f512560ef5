import { describe, expect, test } from '@jest/globals';
import { definitionOf, mayHoldPassword } from './definition.js';

describe('A definition', () => {
  const parts = new Map([
    ['column a', 'int'],
    ['option CONNECTION', "'mysql://root:hunter2@far/d/t'"],
    ['option OPTION_LIST', "'user=root,password=hunter2'"],
    ['option COMMENT', '\'wrapper "mysql", password "hunter2"\''],
    ['partitions', 'PARTITION BY HASH (a) (PARTITION p COMMENT = \'password "hunter2"\')'],
  ]);

  test.each(['SPIDER', 'CONNECT', 'FEDERATED', 'an unknown engine', null])(
    'of a table of %s shows no password, and changes when the password changes',
    (engine) => {
      const isSecret = mayHoldPassword(engine);
      const shown = JSON.stringify(definitionOf(parts, { isSecret }));
      expect(shown).not.toContain('hunter2');
      const changed = new Map([...parts].map(([name, text]) => [name, text.replaceAll('hunter2', 'hunter3')]));
      const { hash, parts: others } = definitionOf(changed, { isSecret });
      expect(hash).not.toBe(definitionOf(parts, { isSecret }).hash);
      expect(others?.['partitions']).not.toBe(definitionOf(parts, { isSecret }).parts?.['partitions']);
    },
  );

  test('of a table that keeps its own rows shows the comment of the table, and the digests of long texts', () => {
    const isSecret = mayHoldPassword('InnoDB');
    const long = 'x'.repeat(101);
    const shown = definitionOf(
      new Map([
        ['option COMMENT', "'ships'"],
        ['check c', long],
      ]),
      { isSecret },
    ).parts;
    expect(shown?.['option COMMENT']).toBe("'ships'");
    expect(shown?.['check c']).toMatch(/^[0-9a-f]{16}$/);
  });
});
