/** By shape and not by class: a DOMException, or an error of another realm, is one as well. */
export function isError(error: unknown): error is Error {
  return typeof error === 'object' && error !== null && 'message' in error && 'name' in error;
}
