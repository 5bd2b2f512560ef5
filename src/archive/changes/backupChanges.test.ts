import { describe, expect, test } from '@jest/globals';
import type { Inventory, InventoryTable } from '../../engines/inventory.js';
import { InventoryComparison, type InventoryItem } from './inventoryComparison.js';
import { summarizeChanges } from './summarizeChanges.js';

const table = (name: string, rows: number | null, more: Partial<InventoryTable> = {}): InventoryTable => ({
  ...{ name, rows, rowsEstimated: false, sizeBytes: null },
  ...more,
});
const inventory = (tables: readonly InventoryTable[], objects: Record<string, readonly string[]> = {}): Inventory => ({
  ...{ serverVersion: '1', toolVersion: '1', sizeBytes: null },
  databases: [{ name: 'shop', tables, objects, properties: {} }],
});

const itemOf = (each: InventoryTable): InventoryItem => ({
  ...{ database: 'shop', kind: 'tables', name: each.name, rows: each.rows, rowsEstimated: each.rowsEstimated },
  definitionHash: each.definition?.hash ?? null,
});
const shop: InventoryItem = { ...itemOf(table('shop', null)), kind: 'database' };

function compared(
  before: readonly InventoryTable[],
  now: readonly InventoryTable[],
  more: { readonly gone?: readonly InventoryItem[]; readonly objects?: Record<string, readonly string[]> } = {},
  options: { readonly definitions: boolean; readonly except: readonly string[] } = { definitions: true, except: [] },
) {
  const comparison = new InventoryComparison(inventory(now, more.objects), {
    definitions: options.definitions,
    except: new Set(options.except),
  });
  for (const item of [shop, ...before.map(itemOf), ...(more.gone ?? [])]) comparison.add(item);
  return comparison.changes();
}
const summary = (...input: Parameters<typeof compared>) => summarizeChanges('job', compared(...input));

describe('the changes since the previous backup', () => {
  test('name the largest falls first, then what is gone, redefined and new', () => {
    const view = (name: string): InventoryItem => ({ ...itemOf(table(name, null)), kind: 'views' });
    const before = [
      table('orders', 60_216_550),
      table('carts', 500),
      table('empty', 0),
      table('prices', 3, { definition: { hash: 'a' } }),
    ];
    const now = [
      table('orders', 1_204_331),
      table('carts', 497),
      table('prices', 3, { definition: { hash: 'b' } }),
      table('news', 7),
    ];
    const { sentence, fell, items, moreItems } = summary(before, now, {
      gone: [view('open'), view('paid')],
      objects: { views: ['paid'], triggers: ['t'], definers: ['root@localhost'] },
    });
    expect(sentence).toBe(
      'shop.orders: 1,204,331 rows, −98 %; shop.carts: 497 rows, 3 fewer; 1 table gone (shop.empty); 1 view gone (shop.open); 1 table new (shop.news); 1 trigger new (shop.t); 1 definition changed (shop.prices); 1,204,838 rows in all, −98 %.',
    );
    expect(fell).toBe(true);
    expect(items.map(({ name }) => name)).toEqual(['orders', 'carts', 'empty', 'open', 'prices', 'news', 't']);
    expect(items[0]).toMatchObject({ change: 'CHANGED', rowsBefore: 60_216_550, rowsAfter: 1_204_331 });
    expect(moreItems).toBe(0);
  });

  test('are none if nothing changed', () => {
    const { sentence, fell, items } = summary([table('orders', 12)], [table('orders', 12)]);
    expect({ sentence, fell, items }).toEqual({
      sentence: '12 rows in all, as many as before.',
      ...{ fell: false, items: [] },
    });
  });

  test('never round a fall up to 100 percent', () => {
    expect(summary([table('orders', 100_000)], [table('orders', 1)]).sentence).toBe(
      'shop.orders: 1 row, −99.9 %; 1 row in all, −99.9 %.',
    );
    expect(summary([table('orders', 100_000)], [table('orders', 0)]).sentence).toBe(
      'shop.orders: 0 rows, −100 %; 0 rows in all, −100 %.',
    );
  });

  test('mark estimates, which are no proof of a fall, and leave out small differences to them', () => {
    const estimate = { rowsEstimated: true };
    const { sentence, fell, rowsEstimated, items } = summary(
      [table('big', 1_000, estimate), table('near', 1_000, estimate), table('late', 1_000)],
      [table('big', 400, estimate), table('near', 950, estimate), table('late', null, estimate)],
    );
    expect(sentence).toBe('shop.big: ≈ 400 rows, −60 %; ≈ 1,350 rows in all, −55 %.');
    expect({ fell, rowsEstimated }).toEqual({ fell: false, rowsEstimated: true });
    expect(items.map(({ name }) => name)).toEqual(['big']);
  });

  test('do not compare definitions that were read in another way', () => {
    const [before, now] = [table('t', 1, { definition: { hash: 'a' } }), table('t', 1, { definition: { hash: 'b' } })];
    expect(summary([before], [now], {}, { definitions: false, except: [] }).items).toEqual([]);
    expect(summary([before], [now]).items).toMatchObject([{ definitionChanged: true }]);
  });

  test('keep 100 objects and cut long names between two characters', () => {
    const many = Array.from({ length: 250 }, (_, number) => table(`${'😀'.repeat(150)}${number}`, number + 1));
    const { items, moreItems, sentence } = summary(many, []);
    expect({ items: items.length, moreItems, most: items[0]?.rowsBefore }).toEqual({
      ...{ items: 100, moreItems: 150, most: 250 },
    });
    expect(items[0]?.name).toBe(`${'😀'.repeat(99)}…`);
    expect(Buffer.from(sentence).toString()).toBe(sentence);
    expect(sentence).toContain('250 tables gone (');
    expect(sentence.length).toBeLessThan(1_000);
  });

  test('do not count an excepted table for the whole', () => {
    const tables = [table('queue', 1_000), table('orders', 10)];
    const { exactBefore, exactAfter } = compared(
      tables,
      [table('orders', 9)],
      {},
      {
        ...{ definitions: true, except: ['shop.queue'] },
      },
    );
    expect({ exactBefore, exactAfter }).toEqual({ exactBefore: 10, exactAfter: 9 });
  });
});
