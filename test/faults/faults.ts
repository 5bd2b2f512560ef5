/** The fault suite, which `scripts/faults` runs. */
import 'reflect-metadata';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { faultTable, isClean, type Tried } from './faultReport.js';
import { allFaults } from './faultSuite.js';
import { seededRandom } from './seededRandom.js';
import { answerForShare, tryInShares } from './shares.js';
import type { Fault } from './trial.js';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    seed: { type: 'string', default: '1' },
    count: { type: 'string' },
    'at-once': { type: 'string', default: String(availableParallelism() + 1) },
    share: { type: 'string' },
    list: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
});

const seed = Number(values.seed);
const named = choose();
const chosen = named.filter(({ missing }) => missing === undefined);
const atOnce = Math.max(1, Math.min(Number(values['at-once']), chosen.length));
if (values.list) for (const { group, name } of chosen) console.log(`${group}: ${name}`);
else if (values.share !== undefined) await answerForShare(ofShare(Number(values.share)), seed + Number(values.share));
else await run();

async function run(): Promise<void> {
  for (const { group, name, missing } of named) {
    if (missing !== undefined) console.log(`SKIPPED ${group}: ${name}: ${missing}`);
  }
  const stores = 'a PostgreSQL, two MariaDBs and a Swift';
  console.log(`${chosen.length} faults, seed ${seed}, ${atOnce} at once. Starting for each of these ${stores} …`);
  const beganAt = performance.now();
  const results: Tried[] = [];
  const { endedEarly } = await tryInShares(chosen, atOnce, (one) => {
    results.push(one);
    printResult(one, results.length);
  });
  const seconds = Math.round((performance.now() - beganAt) / 1000);
  const skipped = named.length - chosen.length;
  const leftOut =
    skipped === 0 ? '' : ` SKIPPED ${skipped} that cannot be tried here. The lines above have the reasons.`;
  const untried = results.length < chosen.length ? ` ${chosen.length - results.length} were NOT TRIED.` : '';
  const inOrder = results.sort((one, other) => chosen.indexOf(one.fault) - chosen.indexOf(other.fault));
  console.log(
    `\n${faultTable(inOrder)}\n\n${results.length} faults in ${seconds} s, seed ${seed}.${leftOut}${untried}`,
  );
  if (endedEarly || untried !== '' || !isClean(results)) process.exitCode = 1;
}

function printResult({ fault, trial, seconds }: Tried, number: number): void {
  const { problems, end, sentence } = trial;
  console.log(`${number}/${chosen.length} ${fault.group}: ${fault.name}: ${end} (${seconds.toFixed(1)} s)`);
  if (values.verbose && sentence !== '') console.log(`      ${sentence.replaceAll('\n', '\n      ')}`);
  for (const { kind, what } of problems) console.log(`   ** ${kind}: ${what}`);
}

/** Each share gets a part of each group, so that all shares take about the same time. */
function ofShare(share: number): readonly Fault[] {
  return chosen.filter((_, index) => index % atOnce === share);
}

/** The faults whose `group: name` matches. With a count: that many random ones, at least one of each group. */
function choose() {
  const pattern = new RegExp(values.only, 'i');
  const random = seededRandom(seed);
  const named = allFaults.filter(({ group, name }) => pattern.test(`${group}: ${name}`));
  if (values.count === undefined) return named;
  const shuffled = named.map((fault) => ({ fault, at: random() })).sort((one, other) => one.at - other.at);
  const seen = new Set<string>();
  const rank = ({ fault: { group } }: { fault: { group: string } }) => (seen.has(group) ? 1 : (seen.add(group), 0));
  const ranked = shuffled.map((one) => ({ ...one, rank: rank(one) })).sort((one, other) => one.rank - other.rank);
  const picked = new Set(ranked.slice(0, Number(values.count)).map(({ fault }) => fault));
  return named.filter((fault) => picked.has(fault));
}
