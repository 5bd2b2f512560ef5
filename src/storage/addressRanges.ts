import { BlockList, isIP } from 'node:net';

/** This machine. */
export const loopback = ['127.0.0.0/8', '::1/128'];

/** Networks that are not part of the internet. An operator allows them with `private`. */
export const privateNetworks = [
  // RFC 1918, shared address space (RFC 6598), benchmarks (RFC 2544).
  ...['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', '198.18.0.0/15'],
  // Unique local addresses (RFC 4193), the old site-local addresses (RFC 3879), NAT64 of a local network (RFC 8215).
  ...['fc00::/7', 'fec0::/10', '64:ff9b:1::/48'],
];

/**
 * Addresses at which a cloud gives credentials and settings to its machines. A host name is never allowed to resolve to
 * one of them.
 */
export const metadata = [
  // Link-local: AWS, Google Cloud, Azure, OpenStack and most others.
  ...['169.254.0.0/16', 'fe80::/10'],
  // AWS over IPv6, Google Cloud over IPv6, Scaleway over IPv6.
  ...['fd00:ec2::/32', 'fd20:ce::254/128', 'fd00:42::42/128'],
  // Alibaba Cloud, the platform of Azure, Oracle Cloud.
  ...['100.100.100.200/32', '168.63.129.16/32', '192.0.0.192/32'],
];

/** Addresses that belong to no host: unspecified, special protocols (RFC 6890), multicast, reserved, broadcast. */
export const unroutable = [...['0.0.0.0/8', '192.0.0.0/24', '224.0.0.0/4', '240.0.0.0/4'], ...['::/128', 'ff00::/8']];

export function blockList(networks: readonly string[]): BlockList {
  const blocks = new BlockList();
  for (const network of networks) addNetwork(blocks, network);
  return blocks;
}

export function addNetwork(list: BlockList, network: string): void {
  const [address = '', bits = ''] = network.split('/');
  list.addSubnet(address, Number(bits), family(address));
}

export function contains(list: BlockList, address: string): boolean {
  return list.check(address, family(address));
}

function family(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 4 ? 'ipv4' : 'ipv6';
}
