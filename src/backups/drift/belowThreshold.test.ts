import { describe, expect, test } from '@jest/globals';
import type { ChangedObject } from '../../archive/changes/backupChanges.js';
import type { InventoryChanges } from '../../archive/changes/inventoryComparison.js';
import type { DriftThreshold } from '../../plans/driftThreshold.js';
import { belowThreshold } from './belowThreshold.js';

const changed = (name: string, before: number | null, after: number | null, more: Partial<ChangedObject> = {}) => ({
  ...{ database: 'shop', kind: 'tables', name, change: 'CHANGED' as const },
  ...{ rowsBefore: before, rowsAfter: after, rowsEstimated: false, definitionChanged: false },
  ...more,
});
const changes = (objects: readonly ChangedObject[], exactBefore = 0, exactAfter = 0): InventoryChanges => ({
  ...{ objects, exactBefore, exactAfter, rowsBefore: exactBefore, rowsAfter: exactAfter, rowsEstimated: false },
});
const gone = { change: 'GONE' } as const;
const threshold = (more: Partial<DriftThreshold>): DriftThreshold => ({
  ...{ tablePercent: null, totalPercent: null, action: 'WARN', exceptTables: [] },
  ...more,
});

describe('a backup falls below the threshold', () => {
  test('if a table keeps a smaller share of its rows, and not if it keeps exactly the share', () => {
    const found = changes([
      changed('orders', 1_000, 499),
      changed('carts', 1_000, 500),
      changed('gone', 4, null, gone),
    ]);
    expect(belowThreshold(found, threshold({ tablePercent: 50 }))).toEqual([
      'Fewer than 50 % of the rows remain in shop.orders (499 of 1,000), shop.gone (0 of 4).',
    ]);
  });

  test('if all tables together keep a smaller share', () => {
    const found = changes([changed('orders', 1_000, 799)], 1_000, 799);
    expect(belowThreshold(found, threshold({ tablePercent: 50, totalPercent: 80 }))).toEqual([
      'Fewer than 80 % of all rows remain (799 of 1,000).',
    ]);
    expect(belowThreshold(changes([], 1_000, 800), threshold({ totalPercent: 80 }))).toEqual([]);
  });

  test('and with 100 percent already if one row is gone', () => {
    const found = changes([changed('orders', 1_000, 999)], 1_000, 999);
    expect(belowThreshold(found, threshold({ tablePercent: 100, totalPercent: 100 }))).toHaveLength(2);
  });

  test('but not because of an estimate, an excepted table, an empty table that is gone, or an object without rows', () => {
    const found = changes([
      changed('estimated', 1_000, 1, { rowsEstimated: true }),
      changed('queue', 1_000, 0),
      changed('empty', 0, null, gone),
      changed('view', null, null, { ...gone, kind: 'views' }),
      changed('late', 1_000, null),
    ]);
    expect(belowThreshold(found, threshold({ tablePercent: 100, exceptTables: ['shop.queue'] }))).toEqual([]);
  });

  test('and the sentence names ten tables and counts the others', () => {
    const found = changes(Array.from({ length: 12 }, (_, number) => changed(`t${number}`, 100 + number, 0)));
    const [sentence] = belowThreshold(found, threshold({ tablePercent: 1 }));
    expect(sentence).toMatch(/in shop\.t11 \(0 of 111\), .*, shop\.t2 \(0 of 102\) and 2 more\.$/);
  });
});
