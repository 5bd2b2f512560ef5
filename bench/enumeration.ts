/**
 * Compares the answers for an object that the caller may not see with those for an object that does not exist: for each query, each
 * mutation and each kind of node that takes an id. The words must be the same, and the median times may differ by 5 %. Otherwise
 * a stranger could find out which ids exist. The two calls of a pair take turns, so that a busy machine affects both.
 */
import 'reflect-metadata';
import { missingIn, unseenPairs, type UnseenPair } from '../test/fixtures/api/unseenPairs.js';
import { startWholeApi } from '../test/fixtures/api/wholeApi.js';
import { settleProject } from '../test/fixtures/settledProject.js';
import { brief, positionals } from './brief.js';

if (process.argv.includes('--help')) {
  console.log(`node --import @swc-node/register/esm-register bench/enumeration.ts [--brief] [part of a name]

Exits with 1 if two answers that must not differ have other words, or if their medians differ by more than 5 %.`);
  process.exit(0);
}

const rounds = brief ? 3 : 1_000;
/** Each token may send a limited number of requests in a minute. */
const tokenCount = 12;
const [part = ''] = positionals;
const api = await startWholeApi();
try {
  const own = await settleProject(api, 'Amsterdam', 9);
  const other = await settleProject(api, 'Zanzibar', 9);
  const tokens: string[] = [];
  while (tokens.length < tokenCount) tokens.push(await createToken(own.projectId));
  const rows: object[] = [];
  for (const pair of unseenPairs(api.schema, own, other).filter(({ name }) => name.includes(part))) {
    const { words, unseen, missing } = await compare(pair, tokens);
    const difference = Math.abs(unseen / missing - 1) * 100;
    rows.push({
      what: pair.name,
      'unseen, ms': unseen.toFixed(2),
      'missing, ms': missing.toFixed(2),
      'difference in %': difference.toFixed(1),
      words,
    });
    if (words !== 'same' || (!brief && difference > 5)) process.exitCode = 1;
  }
  console.table(rows);
} finally {
  await api.stop();
}

async function compare({ query, unseen }: UnseenPair, tokens: readonly string[]) {
  const times = { unseen: [] as number[], missing: [] as number[] };
  const texts = { unseen: '', missing: '' };
  for (let round = -Math.ceil(rounds / 10); round < rounds; round += 1) {
    const token = tokens[Math.abs(round) % tokens.length] ?? '';
    const calls = [['unseen', unseen] as const, ['missing', missingIn(unseen)] as const];
    // Neither of the two always comes first.
    for (const [kind, variables] of round % 2 === 0 ? calls : calls.toReversed()) {
      const start = performance.now();
      const answer = await api.post(query, variables, token);
      if (round >= 0) times[kind].push(performance.now() - start);
      texts[kind] = answer.text.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '<id>');
    }
  }
  if (texts.unseen !== texts.missing) console.error(`${query}\n${texts.unseen}\n${texts.missing}`);
  return {
    words: texts.unseen === texts.missing ? 'same' : 'OTHER',
    unseen: median(times.unseen),
    missing: median(times.missing),
  };
}

function median(all: readonly number[]): number {
  return all.toSorted((one, two) => one - two)[Math.floor(all.length / 2)] ?? 0;
}

async function createToken(projectId: string): Promise<string> {
  const create = 'mutation ($input: AccessTokenInput!) { createAccessToken(input: $input) { token } }';
  const answer = await api.post(create, { input: { projectId, name: 'bench', role: 'ADMIN' } });
  const { createAccessToken } = answer.data as { readonly createAccessToken: { readonly token: string } };
  return createAccessToken.token;
}
