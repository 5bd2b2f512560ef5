import type { DocumentNode } from 'graphql';

/** How many characters of documents are remembered: parsed, they take up to some hundred bytes each. */
const mostCharacters = 100_000;
/** Of one document, so that it does not drive out all others. */
const mostOfOne = 10_000;

/**
 * Parsed documents that fit the schema. Clients send the same few again and again, and parsing and validating one takes
 * longer than executing most of them. Forgotten is first what nobody has sent for longest. A document that was not found
 * valid is never kept: it may hold anything, a secret in the wrong place too.
 *
 * Apollo Server's `documentStore`: it looks here before it parses, and offers what it has parsed.
 */
export class KnownDocuments {
  /** From the one that was sent longest ago to the latest. */
  readonly #valid = new Map<string, DocumentNode>();
  /** Not kept alive by this: what was offered and may yet be found valid. */
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

  /** Whether it was found valid before. */
  has(document: DocumentNode): boolean {
    const key = this.#offered.get(document);
    return key !== undefined && this.#valid.get(key) === document;
  }

  /** Validation has found nothing against it. */
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
