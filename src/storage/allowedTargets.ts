import { BlockList, isIP } from 'node:net';

/**
 * Decides which hosts services and file endpoints may name (`STOWAGE_ALLOWED_TARGETS`). The decision uses the address
 * that a connection would really go to. So a DNS name cannot lead to a forbidden address.
 */
export type AllowedTargets = {
  /** Whether a connection may go to this IP address, however it was named. */
  readonly allows: (address: string) => boolean;
  /** The same for an address that `host` resolved to. Storages and engines call it `allowHost`. */
  readonly allowsHost: (host: string, address: string) => boolean;
};

/** The targets that a server allows if nothing is set, and the targets that `stowage up` allows. */
export const defaultAllowedTargets = 'default';
export const allowedTargetsOfUp = 'default,loopback';

/** The reason why a connection was not even tried. */
export class TargetNotAllowed extends Error {
  constructor(
    readonly host: string,
    readonly address: string,
  ) {
    super(
      host === address
        ? `${address} is an address that this installation does not connect to`
        : `${host} is ${address}, an address that this installation does not connect to`,
    );
    this.name = 'TargetNotAllowed';
  }
}

/**
 * Parses comma-separated entries. A target is allowed if one of them matches:
 * - `default`: every address except loopback, link-local, metadata, unspecified and multicast ones;
 * - `loopback`: 127.0.0.0/8 and ::1;
 * - an address or a network (`10.1.0.0/16`, `fd12::/16`), which may also be one that `default` excludes;
 * - a host name or `*.domain`: every address that it resolves to, but never a link-local or metadata address.
 *
 * Throws an Error with a sentence for an entry that is none of these.
 */
export function parseAllowedTargets(spec: string): AllowedTargets {
  const networks = new BlockList();
  const names = new Set<string>();
  const domains: string[] = [];
  let everythingUsual = false;
  for (const entry of spec.split(',').map((text) => text.trim().toLowerCase())) {
    if (entry === '') continue;
    if (entry === 'default') everythingUsual = true;
    else if (entry === 'loopback') loopback.forEach((network) => add(networks, network));
    else if (isIP(entry) !== 0) networks.addAddress(entry, family(entry));
    else if (entry.includes('/')) add(networks, checkedNetwork(entry));
    else if (domainPattern.test(entry)) domains.push(entry.slice(1));
    else if (hostPattern.test(entry)) names.add(entry);
    else throw new Error(`'${entry}' is neither a host name, an address, a network, 'default' nor 'loopback'.`);
  }
  const usual = { never: blockList(neverByDefault), dangerous: blockList(neverByName) };

  function allowsHost(host: string, address: string): boolean {
    const plain = withoutZone(address);
    if (isIP(plain) === 0) return false;
    if (networks.check(plain, family(plain))) return true;
    if (everythingUsual && !usual.never.check(plain, family(plain))) return true;
    const name = host.toLowerCase().replace(/\.$/, '');
    const named = names.has(name) || domains.some((domain) => name.endsWith(domain));
    return named && !usual.dangerous.check(plain, family(plain));
  }
  return { allowsHost, allows: (address) => allowsHost(address, address) };
}

const loopback = ['127.0.0.0/8', '::1/128'];
// Link-local networks, and the metadata services of clouds outside of these networks (AWS over IPv6, Alibaba Cloud).
// NAT64 (RFC 6052) is a second way to write an IPv4 address. BlockList itself handles IPv4-mapped addresses.
const neverByName = [
  '169.254.0.0/16',
  'fe80::/10',
  'fd00:ec2::254/128',
  '100.100.100.200/32',
  '64:ff9b::a9fe:0/112',
  '64:ff9b::6464:64c8/128',
];
const neverByDefault = [
  ...neverByName,
  ...loopback,
  '64:ff9b::7f00:0/104',
  '0.0.0.0/8',
  '::/128',
  '224.0.0.0/4',
  '255.255.255.255/32',
  'ff00::/8',
];

const hostPattern = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/;
const domainPattern = /^\*\.[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/;

function blockList(list: readonly string[]): BlockList {
  const blocks = new BlockList();
  list.forEach((network) => add(blocks, network));
  return blocks;
}

function add(list: BlockList, network: string): void {
  const [address = '', bits = ''] = network.split('/');
  list.addSubnet(address, Number(bits), family(address));
}

function checkedNetwork(text: string): string {
  const [address = '', bits = '', ...rest] = text.split('/');
  const version = isIP(address);
  const fits = /^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128);
  if (version === 0 || !fits || rest.length > 0) {
    throw new Error(`'${text}' is no network. Write it as address/bits, for example 10.1.0.0/16.`);
  }
  return text;
}

function family(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 4 ? 'ipv4' : 'ipv6';
}

function withoutZone(address: string): string {
  return address.replace(/^\[|\]$/g, '').replace(/%.*$/, '');
}
