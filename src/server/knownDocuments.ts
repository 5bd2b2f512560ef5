import type { DocumentNode } from 'graphql';

/** How many characters of documents are kept. Parsed, each character takes up to some hundred bytes. */
const mostCharacters = 100_000;
/** The limit for one document, so that it does not displace all others. */
const mostOfOne = 10_000;

/**
 * A cache of parsed documents that match the schema. Clients send the same few documents again and again, and parsing
 * and validating one takes longer than executing most of them. The least recently used document is removed first. An
 * invalid document is never kept, because it may contain anything, even a secret in the wrong place.
 *
 * It is Apollo Server's `documentStore`: Apollo Server searches it before it parses, and writes parsed documents to it.
 */
export class KnownDocuments {
  /** In the order of use, least recently used first. */
  readonly #valid = new Map<string, DocumentNode>();
  /** Documents that were parsed but not validated yet. Weak, so that an invalid one is not kept in memory. */
  readonly #offered = new WeakMap<DocumentNode, string>();
  #characters = 0;

  get(key: string): Promise<DocumentNode | undefined> {
    const document = this.#valid.get(key);
    if (document !== undefined) {
      this.#valid.delete(key);
      this.#valid.set(key, document);
    }
    return Promise.resolve(document);
  }

  set(key: string, document: DocumentNode): Promise<void> {
    this.#offered.set(document, key);
    return Promise.resolve();
  }

  delete(key: string): Promise<boolean> {
    const document = this.#valid.get(key);
    if (document !== undefined) this.#characters -= lengthOf(document);
    return Promise.resolve(this.#valid.delete(key));
  }

  /** Whether the document was validated before. */
  has(document: DocumentNode): boolean {
    const key = this.#offered.get(document);
    return key !== undefined && this.#valid.get(key) === document;
  }

  /** Call it when the document is valid. */
  keep(document: DocumentNode): void {
    const key = this.#offered.get(document);
    if (key === undefined || this.#valid.has(key) || lengthOf(document) > mostOfOne) return;
    this.#valid.set(key, document);
    this.#characters += lengthOf(document);
    for (const [oldest, forgotten] of this.#valid) {
      if (this.#characters <= mostCharacters) return;
      this.#valid.delete(oldest);
      this.#characters -= lengthOf(forgotten);
    }
  }
}

function lengthOf(document: DocumentNode): number {
  return document.loc?.source.body.length ?? 0;
}
