/** Sends an operation over HTTP. Throws the first error. */
export type GraphqlCall = <Data>(query: string, variables?: Record<string, unknown>) => Promise<Data>;

/** Returns a function that calls the API at `url` with these headers. */
export function graphqlCaller(url: string, headers: Readonly<Record<string, string>> = {}): GraphqlCall {
  return async <Data>(query: string, variables: Record<string, unknown> = {}) => {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = (await answer.json()) as { data: Data; errors?: readonly { message: string }[] };
    if (errors?.[0] !== undefined) throw new Error(`${errors[0].message} ${JSON.stringify(errors)}`);
    return data;
  };
}
