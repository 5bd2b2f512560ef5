/** The attacks of strangers, which `scripts/strangers` runs. */
import 'reflect-metadata';
import { parseArgs } from 'node:util';
import { buildProgram } from '../fixtures/processes/builtProgram.js';
import { groups } from './groups.js';
import { bounds, meet, strangersTable, wrongAbout, type Met } from './meetStrangers.js';
import { startGround } from './startGround.js';
import { startWatch } from './watch.js';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    seed: { type: 'string', default: '1' },
    sample: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
});

const pattern = new RegExp(values.only, 'i');
const chosen = groups.filter(({ name }) => pattern.test(name));
if (values.list) for (const { name } of chosen) console.log(name);
else await run();

async function run(): Promise<void> {
  for (const { name, missing } of chosen) if (missing !== undefined) console.log(`SKIPPED ${name}: ${missing}`);
  const met: Met[] = [];
  const program = await buildProgram();
  for (const group of chosen.filter(({ missing }) => missing === undefined)) {
    // Each group attacks a new process, so that its peak is its own.
    const ground = await startGround({ main: program.main, all: !values.sample, seed: Number(values.seed) });
    const watch = await startWatch(ground);
    const one = await meet(group, ground, watch);
    await watch.stop();
    await ground.stop();
    met.push(one);
    const wrong = wrongAbout(one, { ...bounds, mostBytes: group.mostBytes ?? bounds.mostBytes });
    for (const problem of wrong) console.log(`** ${group.name}: ${problem}`);
    if (wrong.length > 0) process.exitCode = 1;
    if (values.verbose) console.log(ground.output());
  }
  await program.remove();
  console.log(`\n${strangersTable(met)}`);
}
