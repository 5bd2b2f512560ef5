import { isIP } from 'node:net';

/**
 * An IP address without its zone and brackets. An IPv4-mapped address (RFC 4291, 2.5.5.2) becomes IPv4. Undefined: the
 * text is not an IP address.
 */
export function plainAddress(text: string): string | undefined {
  const address = text.replace(/^\[|\]$/g, '').replace(/%.*$/, '');
  if (isIP(address) === 0) return undefined;
  const bytes = isIP(address) === 6 ? bytesOf(address) : [];
  return hasPrefix(bytes, '::ffff:0:0', 96) ? ipv4(bytes, 12) : address;
}

/**
 * The IPv4 addresses that this IPv6 address contains. A network may deliver its packets to them. Empty for IPv4 and for
 * any other IPv6 address.
 */
export function embeddedAddresses(address: string): readonly string[] {
  if (isIP(address) !== 6) return [];
  const bytes = bytesOf(address);
  const found: string[] = [];
  // IPv4-compatible (RFC 4291, 2.5.5.1; not :: and ::1), IPv4-translated (RFC 2765), and the well-known NAT64 (RFC 6052).
  if (hasPrefix(bytes, '::', 96) && (bytes[12] !== 0 || bytes[13] !== 0)) found.push(ipv4(bytes, 12));
  if (hasPrefix(bytes, '::ffff:0:0:0', 96) || hasPrefix(bytes, '64:ff9b::', 96)) found.push(ipv4(bytes, 12));
  // NAT64 of a local network (RFC 8215): its operator chooses the length of the prefix. Octet 8 is always skipped.
  if (hasPrefix(bytes, '64:ff9b:1::', 48)) {
    const placed = nat64Places.map((places) => places.map((place) => bytes[place] ?? 0).join('.'));
    // Zeros belong to a prefix of another length.
    found.push(...placed.filter((each) => !each.startsWith('0.')));
  }
  // 6to4 (RFC 3056), Teredo (RFC 4380: the server, and the client with inverted bits), ISATAP (RFC 5214).
  if (hasPrefix(bytes, '2002::', 16)) found.push(ipv4(bytes, 2));
  if (hasPrefix(bytes, '2001::', 32))
    found.push(
      ipv4(bytes, 4),
      ipv4(
        bytes.map((byte) => byte ^ 0xff),
        12,
      ),
    );
  if ((bytes[8] === 0 || bytes[8] === 2) && bytes[9] === 0 && bytes[10] === 0x5e && bytes[11] === 0xfe) {
    found.push(ipv4(bytes, 12));
  }
  return found;
}

/** The positions of the octets of an IPv4 address after a prefix of 48, 56, 64 and 96 bits (RFC 6052, section 2.2). */
const nat64Places = [
  [6, 7, 9, 10],
  [7, 9, 10, 11],
  [9, 10, 11, 12],
  [12, 13, 14, 15],
] as const;

function hasPrefix(bytes: readonly number[], prefix: string, bits: number): boolean {
  return (
    bytes.length === 16 &&
    bytesOf(prefix)
      .slice(0, bits / 8)
      .every((byte, index) => bytes[index] === byte)
  );
}

function ipv4(bytes: readonly number[], from: number): string {
  return bytes.slice(from, from + 4).join('.');
}

/** The 16 bytes of an IPv6 address, in any of the notations of RFC 4291, section 2.2. */
function bytesOf(address: string): readonly number[] {
  const [head = '', tail] = address.split('::');
  const [front, back] = [groupBytes(head), groupBytes(tail ?? '')];
  return [...front, ...Array<number>(16 - front.length - back.length).fill(0), ...back];
}

function groupBytes(text: string): readonly number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}
