import { text, type Rule } from '../../server/inputValidation.js';

/**
 * Parses an http or https URL without credentials, query and fragment. The error shows `example`. It never repeats the
 * value, because there may be a password in it.
 */
export function httpUrl(example: string): Rule<string> {
  const hint = `Write it like ${example}`;
  return (value) => {
    const unlikely = text(1, 2000)(value);
    if (unlikely !== undefined) return unlikely;
    if (!URL.canParse(value)) return { problem: 'is not a URL', hint };
    const url = new URL(value);
    if (url.protocol !== 'https:' && url.protocol !== 'http:') return { problem: 'is neither http nor https', hint };
    if (url.username !== '' || url.password !== '') {
      return {
        problem: 'contains credentials',
        hint: 'Remove them from the URL, and send them in the fields for credentials.',
      };
    }
    // The URL class drops an empty query or fragment, which a server may still see.
    return /[?#]/.test(value) ? { problem: 'has a query or fragment', hint } : undefined;
  };
}

/** The host of an http or https URL in lower case, with its port, also if it is the default one. */
export function hostAndPort(url: string): string {
  const { protocol, hostname, port } = new URL(url);
  return `${hostname.replace(/\.$/, '')}:${port || (protocol === 'http:' ? '80' : '443')}`;
}
