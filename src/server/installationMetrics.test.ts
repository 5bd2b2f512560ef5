import { describe, expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { until } from '../../test/fixtures/until.js';
import {
  installationMetrics,
  type InstallationFigures,
  type InstallationMetricsOptions,
} from './installationMetrics.js';

const service = {
  ...{ projectId: 'p', projectName: 'harbour', serviceName: 'orders', protection: 'LATE' },
  dataAsOf: new Date('2026-03-01T00:00:00Z'),
};
const known: InstallationFigures = {
  totals: { jobs: { FAILED: 2 }, readBytes: 30, writtenBytes: 20, storedBytes: 10 },
  services: ['a', 'b', 'c'].map((serviceId) => ({ ...service, serviceId })),
  queue: { due: 1, later: 2, held: 3, expired: 4, longestWaitSeconds: 5 },
};

function metrics(options: Partial<InstallationMetricsOptions>): Registry {
  const registry = new Registry();
  installationMetrics({
    registry,
    figures: () => Promise.resolve(known),
    feedLag: () => Promise.resolve(7),
    statuses: ['FAILED', 'SUCCEEDED'],
    protections: ['LATE', 'NEVER'],
    onError: () => undefined,
    now: () => new Date('2026-03-01T01:00:00Z'),
    ...options,
  });
  return registry;
}

describe('the metrics of an installation', () => {
  test('show the figures, including those that are 0', async () => {
    const text = await metrics({}).metrics();
    expect(text).toContain('stowage_backup_jobs{status="FAILED"} 2\nstowage_backup_jobs{status="SUCCEEDED"} 0\n');
    expect(text).toContain('stowage_services{protection="LATE"} 3\nstowage_services{protection="NEVER"} 0\n');
    expect(text).toMatch(/^stowage_service_last_success_age_seconds\{.*service_id="a".*\} 3600$/m);
  });

  test('give a series to the first services and count those without one', async () => {
    const text = await metrics({ mostServices: 1 }).metrics();
    expect(text.match(/^stowage_service_last_success_age_seconds\{/gm)).toHaveLength(1);
    expect(text).toContain('stowage_service_series_left_out 2\n');
  });

  test('are read once for scrapes at the same time and soon after, while the age continues to grow', async () => {
    let asked = 0;
    let minutes = 60;
    const registry = metrics({
      now: () => new Date(Date.UTC(2026, 2, 1, 0, minutes)),
      async figures() {
        asked += 1;
        await Promise.resolve();
        return known;
      },
    });
    const texts = await Promise.all([registry.metrics(), registry.metrics(), registry.metrics()]);
    expect(new Set(texts).size).toBe(1);
    minutes = 61;
    expect(await registry.metrics()).toMatch(/service_id="a".*\} 3660$/m);
    expect(asked).toBe(1);
  });

  test('report a failed read, show no outdated values then, and return after the next read', async () => {
    const errors: unknown[] = [];
    let isDown = false;
    const registry = metrics({
      leastMs: 0,
      onError: (error) => errors.push(error),
      figures: () => (isDown ? Promise.reject(new Error('down')) : Promise.resolve(known)),
      feedLag: () => (isDown ? Promise.reject(new Error('down')) : Promise.resolve(7)),
    });
    const before = await registry.metrics();
    expect(before).toContain('stowage_figures_up 1\n');
    isDown = true;
    await until(async () => (await registry.metrics()).includes('stowage_figures_up 0'), 'the figures are gone');
    const down = await registry.metrics();
    expect(down.split('\n').filter((line) => line.startsWith('stowage_'))).toEqual(['stowage_figures_up 0']);
    expect(errors.length).toBeGreaterThan(0);
    isDown = false;
    await until(async () => (await registry.metrics()) === before, 'the figures are back');
  });
});
