/** Checks the shape and not the class, because a DOMException or an error of another realm is an error too. */
export function isError(error: unknown): error is Error {
  return typeof error === 'object' && error !== null && 'message' in error && 'name' in error;
}
