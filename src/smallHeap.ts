import { setFlagsFromString } from 'node:v8';

/**
 * Collects garbage when the old generation has grown by a quarter since the last collection. By default V8 lets it grow to
 * several times that size, because it expects as much memory as the machine has. So large answers, one after the other,
 * took 561 to 1,323 MB, of which less than 60 MB were in use. In return, collections are more frequent. V8 reads this flag
 * at each collection, so it can be set while the process runs, unlike --max-old-space-size.
 */
export function keepOldGenerationSmall(): void {
  setFlagsFromString('--heap-growing-percent=25');
}

/**
 * Keeps V8's young generation at its initial 2 MiB. By default it grows to 33 MiB while modules are loaded and never
 * shrinks (v8.getHeapSpaceStatistics of Node 20). This suits a process whose bytes are in buffers outside of the heap,
 * such as a worker. In return, small garbage collections are more frequent. Call it before the modules are loaded. V8
 * reads this flag at each collection. A V8 without the flag reports that on standard error and continues.
 */
export function keepYoungGenerationSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}
