type Api = { readonly url: string; readonly token: string };

/** A new project, and the access token of a viewer of this project only. */
export type ProjectOfOthers = { readonly projectId: string; readonly token: string };

export async function createProjectOfOthers(api: Api, name: string): Promise<ProjectOfOthers> {
  const project = await postAs(api, 'mutation ($name: String!) { made: createProject(name: $name) { id } }', { name });
  const { id: projectId } = (project as { made: { id: string } }).made;
  const created = await postAs(
    api,
    'mutation ($input: AccessTokenInput!) { createAccessToken(input: $input) { token } }',
    { input: { projectId, name: 'other', role: 'VIEWER' } },
  );
  return { projectId, token: (created as { createAccessToken: { token: string } }).createAccessToken.token };
}

/** The data of the answer. Throws the errors. */
export async function postAs({ url, token }: Api, query: string, variables: object = {}): Promise<unknown> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await response.json()) as { data: unknown; errors?: unknown };
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return data;
}
