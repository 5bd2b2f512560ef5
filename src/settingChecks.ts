import { isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import { parseDuration } from './duration.js';
import { Secret } from './secret.js';
import { parseTrustedProxies } from './server/client/trustedProxies.js';
import { parseClaimRules } from './signIn/claimRules.js';
import { isLoopback } from './signIn/site.js';
import { parseAllowedTargets } from './storage/allowedTargets.js';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type ScheduleStore = { readonly kind: 'postgres' } | { readonly kind: 'mongodb'; readonly url: Secret };

/**
 * A check that converts a text to a value. Only the message of a Refusal is shown, because other errors may repeat the
 * value.
 */
function text<T>(convert: (value: string) => T): z.ZodType<T, string> {
  return z.string().transform((value, context): T => {
    try {
      return convert(value);
    } catch (error) {
      context.addIssue({ code: 'custom', message: error instanceof Refusal ? error.message : ' ' });
      return z.NEVER;
    }
  });
}

class Refusal extends Error {}

function refuse(detail = ' '): never {
  throw new Refusal(detail);
}

const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];
export const level = text((value) => levels.find((each) => each === value) ?? refuse());

export const wholeNumber = (least: number, most: number) =>
  text((value) => {
    const number = /^\d{1,9}$/.test(value) ? Number(value) : NaN;
    return number >= least && number <= most ? number : refuse();
  });

export const hostName = text((value) =>
  /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$|^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$/.test(value) ? value : refuse(),
);

export const publicUrl = text((value) => {
  const url = new URL(value);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') refuse();
  if (url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '') refuse();
  return url.href.replace(/\/+$/, '');
});

export const postgresUrl = text((value) => {
  const url = new URL(value);
  if (url.protocol !== 'postgres:' && url.protocol !== 'postgresql:') refuse('another scheme');
  if (url.pathname.length < 2) refuse('it names no database');
  return new Secret(value);
});

// This does not use `new URL`, because a MongoDB URL may contain several hosts with ports.
export const storeUrl = text((value): ScheduleStore => {
  if (value === 'postgres') return { kind: 'postgres' };
  return /^mongodb(\+srv)?:\/\/[^\s/]+/.test(value) ? { kind: 'mongodb', url: new Secret(value) } : refuse();
});

export const bearerToken = text((value) => (/^[A-Za-z0-9._~+/=-]{24,}$/.test(value) ? new Secret(value) : refuse()));

const mostTokens = 2;

/** One token a line. Empty lines, and lines that begin with #, are ignored. */
export const tokenLines = text((value) => {
  const lines = value.split('\n').map((line) => line.trim());
  const tokens = lines.filter((line) => line !== '' && !line.startsWith('#'));
  if (tokens.length === 0) refuse('it contains no token');
  if (tokens.length > mostTokens) refuse(`it contains more than ${mostTokens} tokens`);
  return tokens.map((token) => {
    const result = bearerToken.safeParse(token);
    return result.success ? result.data : refuse('a token has fewer than 24 characters, or other characters');
  });
});

export const absolutePath = text((value) => (isAbsolute(value) ? resolve(value) : refuse()));

export const absolutePaths = text((value) => {
  const paths = value.split(':').filter((path) => path !== '');
  return paths.length > 0 && paths.every((path) => isAbsolute(path)) ? paths.map((path) => resolve(path)) : refuse();
});

export const keyLines = text((value) => {
  const lines = value.split('\n').map((line) => line.trim());
  const isKey = (line: string): boolean => line !== '' && !line.startsWith('#');
  const keys = lines.filter(isKey);
  if (keys.length === 0) refuse('it contains no key');
  const bad = lines.findIndex((line) => isKey(line) && !is32Bytes(line));
  if (bad >= 0) refuse(`line ${bad + 1} is not 32 bytes in base64`);
  return keys.map((key) => new Secret(key));
});

function is32Bytes(base64: string): boolean {
  return /^[A-Za-z0-9+/]{43}=$/.test(base64) && Buffer.from(base64, 'base64').length === 32;
}

/** Without the slash that `new URL` adds: an issuer is compared exactly (OpenID Connect Discovery 1.0, 4.3). */
export const issuerUrl = text((value) => {
  const url = new URL(value);
  if (url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '') refuse();
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname))) refuse();
  return value;
});

export const printable = (least: number) =>
  text((value) => (/^[\x20-\x7e]{1,255}$/.test(value) && value.length >= least ? value : refuse()));

export const clientSecret = text((value) => new Secret(/^[\x20-\x7e]{8,1000}$/.test(value) ? value : refuse()));

export const scopes = text((value) => {
  const names = value.split(/\s+/);
  return names.includes('openid') && names.every((name) => /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(name))
    ? names.join(' ')
    : refuse();
});

export const claimRules = text((value) => {
  try {
    return parseClaimRules(value);
  } catch (error) {
    return refuse(error instanceof Error ? error.message : undefined);
  }
});

export const trustedProxies = text((value) => {
  try {
    return parseTrustedProxies(value);
  } catch (error) {
    return refuse(error instanceof Error ? error.message : undefined);
  }
});

export const targets = text((value) => {
  try {
    return parseAllowedTargets(value);
  } catch (error) {
    return refuse(error instanceof Error ? error.message.replace(/\.$/, '') : undefined);
  }
});

const nobody = 65_534;
const largestUid = 4_294_967_293;

/** `first-last`. The uids 65534 and 65535 have another meaning on every system. */
export const uidRange = text((value) => {
  const [, first, last] = (/^(\d{1,10})-(\d{1,10})$/.exec(value) ?? []).map(Number);
  if (first === undefined || last === undefined || first < 1 || last < first || last > largestUid) return refuse();
  if (first <= nobody + 1 && last >= nobody) return refuse('it contains 65534 or 65535');
  return { first, last };
});

/** Parses an ISO 8601 duration to milliseconds, within two durations. */
export const duration = (least: string, most: string) =>
  text((value) => {
    const ms = parseDuration(value);
    const [from, to] = [parseDuration(least), parseDuration(most)];
    return ms !== undefined && from !== undefined && to !== undefined && ms >= from && ms <= to ? ms : refuse();
  });

/** A part from 0.01 to 1. Null: all but one. */
export const share = text((value): number | null => {
  if (value === 'all-but-one') return null;
  const percent = /^(\d{1,3})%$/.exec(value)?.[1];
  return Number(percent) >= 1 && Number(percent) <= 100 ? Number(percent) / 100 : refuse();
});
