import { createCabinetEngine } from '../fixtures/engines/cabinetEngine.js';
import { makeCabinets } from '../fixtures/engines/cabinets.js';
import { engineContract } from './engine.contract.js';

engineContract('an engine of several parts, without counts', async () => {
  const cabinets = await makeCabinets();
  const { source, target } = cabinets;
  return {
    engine: createCabinetEngine(cabinets.root),
    source,
    target,
    nowhere: { ...source, port: 1 },
    clearTarget: () => cabinets.clearTarget(),
    contents: (of) => cabinets.contents(of),
    byHandTarget: `'${cabinets.folderOf(target)}'`,
    stop: () => cabinets.remove(),
  };
});
