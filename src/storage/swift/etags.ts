import { createHash } from 'node:crypto';

/** The etag of a static large object: the MD5 of the etags that its manifest names, one after another (Swift API reference). */
export function largeObjectEtag(segments: readonly { readonly etag?: string }[]): string {
  const all = createHash('md5');
  for (const segment of segments) all.update(segment.etag ?? '');
  return all.digest('hex');
}

/** Swift quotes the etag of a large object, but not that of a plain one. This removes the quotes. */
export function bareEtag(header: string): string {
  return header.replace(/^W\//, '').replace(/^"|"$/g, '');
}
