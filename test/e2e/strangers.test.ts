/**
 * A sample of the documents, floods and neighbours of `scripts/strangers`, with one API. It measures no times, because other
 * tests run at the same time.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { buildProgram, type BuiltProgram } from '../fixtures/processes/builtProgram.js';
import { describeWith } from '../fixtures/requirements.js';
import { postgresMissing } from '../fixtures/servers/postgres.js';
import { hostileDocuments } from '../strangers/documents/hostileDocuments.js';
import { floods } from '../strangers/floods/floods.js';
import { bounds, meet, wrongAbout } from '../strangers/meetStrangers.js';
import { greedyNeighbours } from '../strangers/neighbours/greedyNeighbours.js';
import { startGround, type RunningGround } from '../strangers/startGround.js';
import { startWatch, type Watch } from '../strangers/watch.js';

const onLinux = process.platform === 'linux' ? undefined : 'the memory of a process is read from /proc';

describeWith(
  { postgresql: (await postgresMissing()) ?? onLinux },
  'hostile clients crash no process and fill no memory',
  () => {
    let program: BuiltProgram;
    let ground: RunningGround;
    let watch: Watch;

    beforeAll(async () => {
      program = await buildProgram();
      ground = await startGround({ main: program.main, all: false, seed: 1 });
      watch = await startWatch(ground);
    });
    afterAll(async () => {
      await watch.stop();
      await ground.stop();
      await program.remove();
    });

    test.each([...hostileDocuments, ...floods, ...greedyNeighbours])('$name', async (group) => {
      const met = await meet(group, ground, watch);
      // One process gets all groups here, so the garbage of a group may still be there in the next one.
      const mostBytes = 1.5 * (group.mostBytes ?? bounds.mostBytes);
      expect(wrongAbout(met, { mostBytes, longestPingMs: Infinity })).toEqual([]);
    });
  },
);
