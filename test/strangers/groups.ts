import { hostileDocuments } from './documents/hostileDocuments.js';
import { floods } from './floods/floods.js';
import { greedyNeighbours } from './neighbours/greedyNeighbours.js';
import { greedyPlaces } from './places/greedyPlaces.js';
import { hostileServers } from './servers/hostileServers.js';
import type { StrangersGroup } from './stranger.js';

/** The groups of `scripts/strangers`, in the order of their lines. */
export const groups: readonly StrangersGroup[] = [
  ...hostileDocuments,
  ...floods,
  ...hostileServers,
  ...greedyPlaces,
  ...greedyNeighbours,
];
