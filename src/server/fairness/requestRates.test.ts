import { expect, test } from '@jest/globals';
import { rateHeaders, RequestRates } from './requestRates.js';

test('each viewer and each network of an address has its own bucket, which is refilled evenly', () => {
  let now = 0;
  const rates = new RequestRates({ requestsOfViewer: 60, requestsOfAddress: 120 }, () => now);
  for (let sent = 0; sent < 60; sent += 1) expect(rates.ofViewer('anna').isExceeded).toBe(false);
  expect(rates.ofViewer('anna')).toEqual({
    policy: 'viewer',
    limit: 60,
    remaining: 0,
    resetSeconds: 1,
    isExceeded: true,
  });
  expect(rates.ofViewer('ben').isExceeded).toBe(false);
  now = 1_000;
  expect(rates.ofViewer('anna').isExceeded).toBe(false);
  expect(rates.ofViewer('anna').isExceeded).toBe(true);
  for (let sent = 0; sent < 120; sent += 1) rates.ofAddress('2001:db8::1');
  expect(rates.ofAddress('2001:db8::2').isExceeded).toBe(true);
});

test('the headers contain each limit, the remaining requests and the seconds until the reset', () => {
  const rates = new RequestRates({ requestsOfViewer: 60, requestsOfAddress: 120 }, () => 0);
  expect(rateHeaders([rates.ofViewer('anna'), rates.ofAddress('192.0.2.7')])).toEqual({
    'RateLimit-Policy': '"viewer";q=60;w=60, "address";q=120;w=60',
    RateLimit: '"viewer";r=59;t=1, "address";r=119;t=1',
  });
});
