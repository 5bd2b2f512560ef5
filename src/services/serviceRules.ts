import { X509Certificate } from 'node:crypto';
import type { Engine } from '../engines/engine.js';
import type { EngineName, Engines } from '../engines/engines.js';
import { hostList } from '../engines/hostList.js';
import { allowedAddress, usableSecret } from '../server/connectionRules.js';
import {
  durationWithin,
  entityName,
  hostName,
  plainText,
  port,
  text,
  type InputProblems,
  type Rule,
} from '../server/inputValidation.js';
import type { AllowedTargets } from '../storage/allowedTargets.js';
import type { ServiceInput, ServicePatch } from './serviceInput.js';

const minuteMs = 60_000;
const yearMs = 366 * 24 * 60 * minuteMs;

/** All checks of the fields that need no network, for new and for changed services. */
export function checkServiceFields(
  problems: InputProblems,
  fields: ServicePatch | ServiceInput,
  engine: Engine | undefined,
  targets: AllowedTargets,
): void {
  problems
    .check('input.name', fields.name, entityName)
    .check('input.host', fields.host, ...hostRules(engine, targets))
    .check('input.port', fields.port, port)
    .check('input.username', fields.username, plainText)
    .check('input.password', fields.password, usableSecret)
    .checkList('input.databases', fields.databases, { atLeast: 1, atMost: 1000, unique: true }, databaseName)
    .check('input.tls.ca', fields.tls?.ca, certificates)
    .check('input.authSource', fields.authSource, takenBy(engine), databaseName)
    .check('input.recoveryPointObjective', fields.recoveryPointObjective, durationWithin(minuteMs, yearMs));
}

const mostHosts = 50;

function hostRules(engine: Engine | undefined, targets: AllowedTargets): readonly Rule<string>[] {
  const rules = [hostName, allowedAddress(targets)];
  if (engine?.takesSeveralHosts !== true) return rules;
  const several: Rule<string> = (value) => {
    const hosts = hostList(value);
    const hint = 'Write the hosts of the replica set, separated by commas: a.example.org,b.example.org:27018.';
    if (hosts.length > mostHosts) return { problem: `names more than ${mostHosts} hosts`, hint };
    if (new Set(hosts.map((each) => JSON.stringify(each))).size < hosts.length) {
      return { problem: 'names the same host twice', hint };
    }
    for (const each of hosts) {
      const problem = hostName(each.host) ?? allowedAddress(targets)(each.host);
      if (problem !== undefined) return hosts.length === 1 ? problem : { ...problem, hint };
      if (each.port !== undefined && port(each.port) !== undefined)
        return { problem: 'has a port that is not from 1 to 65535', hint };
    }
    return undefined;
  };
  return [several];
}

/** Refuses an engine that this installation cannot back up. */
export function knownEngine(engines: Engines): Rule<EngineName> {
  return (engine) =>
    engines.has(engine)
      ? undefined
      : {
          problem: `${engine} cannot be backed up yet`,
          hint: `Supported engines are ${[...engines.keys()].join(', ')}.`,
        };
}

/** The instance id is part of the dashboard's URL. */
export const instanceId: Rule<string> = (value) =>
  /^[A-Za-z0-9_~][A-Za-z0-9._~-]{0,254}$/.test(value)
    ? undefined
    : {
        problem: 'is not an instance id',
        hint: 'Write up to 255 letters, digits and ._~- (for example a UUID), because it becomes part of a URL.',
      };

/**
 * Database names become arguments of dump tools. So no name may look like an option or a connection string. No engine
 * allows more than 64 characters.
 */
const databaseName: Rule<string> = (name) => {
  const unlikely = text(1, 64)(name);
  if (unlikely !== undefined) return unlikely;
  if (name.startsWith('-')) {
    return {
      problem: 'begins with a dash',
      hint: 'The dump tool would read it as an option. Send the name of a database.',
    };
  }
  if (name.includes('=') || name.includes('://')) {
    return {
      problem: 'looks like a connection string',
      hint: 'Send only the name of the database, without = and ://.',
    };
  }
  return undefined;
};

function takenBy(engine: Engine | undefined): Rule<string> {
  return () =>
    engine?.takesAuthSource === false
      ? { problem: `is not a setting of ${engine.name}`, hint: 'Omit it, because this engine has no such setting.' }
      : undefined;
}

const certificates: Rule<string> = (pem) => {
  const hint = 'Send certificates as PEM: -----BEGIN CERTIFICATE----- … -----END CERTIFICATE-----.';
  if (pem.length > 65_536) return { problem: 'is longer than 64 KiB', hint };
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) return { problem: 'contains no certificate', hint };
  try {
    for (const block of blocks) new X509Certificate(block);
    return undefined;
  } catch {
    return { problem: 'contains a certificate that cannot be read', hint };
  }
};
