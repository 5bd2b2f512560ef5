import { AuthorizationResponseError, ResponseBodyError } from 'openid-client';
import { StowageError } from '../../errors.js';
import { outsideText } from '../../outsideText.js';

/** What a person reads about a failed sign-in: a sentence, and a way out. Without tokens and answers of the provider. */
export type Refusal = {
  readonly sentence: string;
  readonly wayOut: string;
  /** The provider itself has refused, so the same attempt cannot succeed. */
  readonly isFinal: boolean;
};

/** By the code of openid-client's error. */
const sentences: Readonly<Record<string, string>> = {
  OAUTH_JWT_TIMESTAMP_CHECK_FAILED: 'The clocks of this server and of the provider differ by more than 30 seconds.',
  OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED: 'The provider names another issuer than OIDC_ISSUER.',
  OAUTH_JWT_CLAIM_COMPARISON_FAILED: 'The provider sent an identity for another client, or for another sign-in.',
  OAUTH_KEY_SELECTION_FAILED: 'The provider signed the identity with a key that it does not publish.',
  OAUTH_TIMEOUT: 'The provider did not answer in time.',
  OAUTH_MISSING_SERVER_METADATA: 'The metadata of the provider is not complete.',
  OAUTH_INVALID_SERVER_METADATA: 'The metadata of the provider is not complete.',
};

const operator = 'Ask the operator of this installation. The log has the details.';

/** Explains an error of a conversation with the provider. */
export function whyRefused(error: unknown): Refusal {
  if (error instanceof AuthorizationResponseError) return ofProvider(error.error, error.error_description);
  if (error instanceof ResponseBodyError) return ofProvider(error.error, error.error_description);
  const known = rootOf(error);
  if (known instanceof StowageError) {
    const wayOut = known.retriable ? 'Try again in a moment.' : operator;
    return { sentence: known.message, wayOut: `${wayOut} Access tokens work meanwhile.`, isFinal: false };
  }
  return temporary(sentences[codeOf(error) ?? ''] ?? 'The provider gave an answer that cannot be used.');
}

function temporary(sentence: string): Refusal {
  return { sentence, wayOut: `Try to sign in again. ${operator}`, isFinal: false };
}

function ofProvider(code: string, description: string | undefined): Refusal {
  const words = description === undefined ? '' : `: ${outsideText(description, 200)}`;
  const sentence = `The provider refused (${outsideText(code, 60)}${words}).`;
  return { sentence, wayOut: `Try to sign in again. ${operator}`, isFinal: true };
}

function rootOf(error: unknown): unknown {
  let root = error;
  for (let depth = 0; depth < 5 && root instanceof Error && !(root instanceof StowageError); depth += 1) {
    if (root.cause === undefined) return root;
    root = root.cause;
  }
  return root;
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
