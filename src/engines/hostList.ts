/** One of several hosts. `port` undefined: the port of the service. */
export type ListedHost = { readonly host: string; readonly port: number | undefined };

/**
 * The hosts in a text such as `a.example.org,b.example.org:27018,[2001:db8::1]:27018`. An IPv6 address is in brackets if a
 * port follows it. A text with one host has one item.
 */
export function hostList(text: string): readonly ListedHost[] {
  return text.split(',').map((each) => {
    const [, address, name, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(each) ?? [];
    return { host: address ?? name ?? each, port: port === undefined ? undefined : Number(port) };
  });
}
