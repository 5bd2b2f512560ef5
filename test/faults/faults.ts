/** The fault suite: what `scripts/faults` runs. */
import 'reflect-metadata';
import { parseArgs } from 'node:util';
import { startFaultBench } from './faultBench.js';
import { faultTable, isClean, type Tried } from './faultReport.js';
import { allFaults } from './faultSuite.js';
import { seededRandom } from './seededRandom.js';
import { tryFaults } from './tryFaults.js';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    seed: { type: 'string', default: '1' },
    count: { type: 'string' },
    list: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
});

const random = seededRandom(Number(values.seed));
const named = choose();
const chosen = named.filter(({ missing }) => missing === undefined);
if (values.list) for (const { group, name } of chosen) console.log(`${group}: ${name}`);
else await run();

async function run(): Promise<void> {
  for (const { group, name, missing } of named) {
    if (missing !== undefined) console.log(`SKIPPED ${group}: ${name}: ${missing}`);
  }
  console.log(`${chosen.length} faults, seed ${values.seed}. Starting PostgreSQL, two MariaDBs and Swift …`);
  const bench = await startFaultBench(random);
  const beganAt = performance.now();
  const tried: Tried[] = [];
  // What was tried until then is told, and all that was started ends.
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());
  try {
    for await (const one of tryFaults(bench, chosen)) {
      tried.push(one);
      tell(one, tried.length);
      if (interrupted.signal.aborted) break;
    }
  } finally {
    await bench.stop();
  }
  const seconds = Math.round((performance.now() - beganAt) / 1000);
  const skipped = named.length - chosen.length;
  const leftOut = skipped === 0 ? '' : ` SKIPPED ${skipped} that cannot be tried here: the lines above say why.`;
  console.log(`\n${faultTable(tried)}\n\n${tried.length} faults in ${seconds} s, seed ${values.seed}.${leftOut}`);
  if (!isClean(tried)) process.exitCode = 1;
}

function tell({ fault, trial }: Tried, number: number): void {
  const { problems, end, sentence } = trial;
  console.log(`${number}/${chosen.length} ${fault.group}: ${fault.name}: ${end}`);
  if (values.verbose && sentence !== '') console.log(`      ${sentence.replaceAll('\n', '\n      ')}`);
  for (const { kind, what } of problems) console.log(`   ** ${kind}: ${what}`);
}

/** Those whose `group: name` has the text; with a count so many of them by chance, every group among them. */
function choose() {
  const pattern = new RegExp(values.only, 'i');
  const named = allFaults.filter(({ group, name }) => pattern.test(`${group}: ${name}`));
  if (values.count === undefined) return named;
  const shuffled = named.map((fault) => ({ fault, at: random() })).sort((one, other) => one.at - other.at);
  const seen = new Set<string>();
  const rank = ({ fault: { group } }: { fault: { group: string } }) => (seen.has(group) ? 1 : (seen.add(group), 0));
  const ranked = shuffled.map((one) => ({ ...one, rank: rank(one) })).sort((one, other) => one.rank - other.rank);
  const picked = new Set(ranked.slice(0, Number(values.count)).map(({ fault }) => fault));
  return named.filter((fault) => picked.has(fault));
}
