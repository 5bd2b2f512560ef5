import { BlockList, isIP } from 'node:net';
import { addNetwork, blockList, contains, loopback, metadata, privateNetworks, unroutable } from './addressRanges.js';
import { embeddedAddresses, plainAddress } from './embeddedAddresses.js';

/**
 * Decides which hosts services and file endpoints may use (`STOWAGE_ALLOWED_TARGETS`). The decision is made about the
 * address of the connection itself, so that a DNS name cannot lead to a forbidden address.
 */
export type AllowedTargets = {
  /** Whether a connection to this IP address is allowed, regardless of any name. */
  readonly allows: (address: string) => boolean;
  /**
   * Whether a connection to this address is allowed, which `host` resolved to. This is the `allowHost` of storages and
   * engines.
   */
  readonly allowsHost: (host: string, address: string) => boolean;
  /** The same targets, but `default` contains private networks, as in installations from versions without `private`. */
  readonly withPrivateByDefault: () => AllowedTargets;
};

/** The default of `serve` and `worker`, and the default of `stowage up`. */
export const defaultAllowedTargets = 'default';
export const allowedTargetsOfUp = 'default,private,loopback';

/**
 * The reason why no connection was tried. The message omits the address, which may be a secret of the network of the
 * installation.
 */
export class TargetNotAllowed extends Error {
  constructor(readonly host: string) {
    super(`${host} is a host that this installation may not connect to`);
    this.name = 'TargetNotAllowed';
  }
}

/** Describes what a customer and an operator can do. */
export const targetNotAllowedHelp =
  'Use a host that is allowed, or ask the operator to add this one to STOWAGE_ALLOWED_TARGETS: its network such as 10.1.0.0/16, its name, or private for all private networks.';

/**
 * Parses comma-separated entries. A target is allowed if one of these entries matches:
 * - `default`: every public address. It excludes loopback, private, link-local, metadata, unspecified and multicast
 *   addresses;
 * - `private`: private networks (`privateNetworks`);
 * - `loopback`: 127.0.0.0/8 and ::1;
 * - an address or a network (`10.1.0.0/16`, `fd12::/16`), which also allows addresses that `default` excludes;
 * - a host name or `*.domain`: every address that it resolves to, except link-local and metadata addresses.
 *
 * An IPv6 address that contains an IPv4 address (6to4, NAT64, Teredo and others) must be allowed itself, and the entries must not exclude the IPv4 address.
 *
 * Throws an Error with a sentence for the first entry that is none of these.
 */
export function parseAllowedTargets(spec: string): AllowedTargets {
  return allowedTargets(readEntries(spec));
}

type Entries = {
  readonly networks: BlockList;
  readonly names: ReadonlySet<string>;
  readonly domains: readonly string[];
  readonly isDefault: boolean;
  readonly isPrivate: boolean;
};

function readEntries(spec: string): Entries {
  const networks = new BlockList();
  const names = new Set<string>();
  const domains: string[] = [];
  const words = new Set<string>();
  for (const entry of spec.split(',').map((text) => text.trim().toLowerCase())) {
    const address = plainAddress(entry);
    if (entry === '') continue;
    if (entry === 'default' || entry === 'private') words.add(entry);
    else if (entry === 'loopback') loopback.forEach((network) => addNetwork(networks, network));
    else if (address !== undefined) addNetwork(networks, `${address}/${isIP(address) === 4 ? 32 : 128}`);
    else if (entry.includes('/')) addNetwork(networks, checkedNetwork(entry));
    else if (domainPattern.test(entry)) domains.push(entry.slice(1));
    else if (hostPattern.test(entry)) names.add(entry);
    else {
      throw new Error(`'${entry}' is neither a host name, an address, a network, 'default', 'private' nor 'loopback'.`);
    }
  }
  return { networks, names, domains, isDefault: words.has('default'), isPrivate: words.has('private') };
}

function allowedTargets(entries: Entries): AllowedTargets {
  const { networks, names, domains, isDefault, isPrivate } = entries;
  const isNamed = (host: string): boolean => {
    const name = host.toLowerCase().replace(/\.$/, '');
    return names.has(name) || domains.some((domain) => name.endsWith(domain));
  };
  function allowsHost(host: string, address: string): boolean {
    const plain = plainAddress(address);
    if (plain === undefined) return false;
    const named = isNamed(host);
    const isLeftOut = (each: string): boolean =>
      !contains(networks, each) &&
      (contains(dangerous, each) ||
        (!named && (contains(special, each) || (contains(ownNetworks, each) && !isPrivate))));
    if (isLeftOut(plain) || embeddedAddresses(plain).some(isLeftOut)) return false;
    return named || isDefault || contains(networks, plain) || (isPrivate && contains(ownNetworks, plain));
  }
  return {
    allowsHost,
    allows: (address) => allowsHost(address, address),
    withPrivateByDefault: () => allowedTargets({ ...entries, isPrivate: isPrivate || isDefault }),
  };
}

const dangerous = blockList(metadata);
const special = blockList([...loopback, ...unroutable]);
const ownNetworks = blockList(privateNetworks);

const hostPattern = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/;
const domainPattern = /^\*\.[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/;

function checkedNetwork(text: string): string {
  const [address = '', bits = '', ...rest] = text.split('/');
  const version = isIP(address);
  const fits = /^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128);
  if (version === 0 || !fits || rest.length > 0) {
    throw new Error(`'${text}' is not a network. Write it as address/bits, for example 10.1.0.0/16.`);
  }
  return text;
}
