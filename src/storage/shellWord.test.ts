import { execFileSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { shellWord } from './shellWord.js';

test.each(["it's", '$(touch /tmp/x)', '`id`', 'a;b', 'a b', '*', '"', '\\', '~', '#x', 'é', '!', "'"])(
  'the shell reads %j as one word',
  (text) => {
    const printed = execFileSync('/bin/sh', ['-c', `printf '%s|' ${shellWord(text)}`], { encoding: 'utf8' });
    expect(printed).toBe(`${text}|`);
  },
);
