import { BlockList, isIP } from 'node:net';

/** The proxies whose headers about a client are believed. */
export interface TrustedProxies {
  includes(address: string): boolean;
}

export const noProxies: TrustedProxies = { includes: () => false };

/** Parses addresses and networks, separated by commas. Throws an Error with a phrase that names the first wrong one. */
export function parseTrustedProxies(text: string): TrustedProxies {
  const list = new BlockList();
  for (const given of text.split(',').map((each) => each.trim())) add(list, given);
  return {
    includes(address) {
      const version = isIP(address);
      return version !== 0 && list.check(address, version === 4 ? 'ipv4' : 'ipv6');
    },
  };
}

function add(list: BlockList, given: string): void {
  const [address = '', bits, ...rest] = given.split('/');
  const version = isIP(address);
  const most = version === 4 ? 32 : 128;
  const length = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : NaN;
  if (version === 0 || rest.length > 0 || !(length <= most)) throw new Error(`'${given}' is no address and no network`);
  // Every client would be a proxy, and could choose its own address.
  if (length === 0) throw new Error(`'${given}' is every address. Name the addresses of the proxies`);
  list.addSubnet(address, length, version === 4 ? 'ipv4' : 'ipv6');
}
