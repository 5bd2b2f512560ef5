import { z } from 'zod';
import { StowageError } from '../../errors.js';
import { busy, checkedStorageUrl, type LoginRequest, type SwiftLogin } from './login.js';
import { readJson, type HttpAnswer } from '../http/httpClient.js';
import type { SwiftSettings } from './swiftSettings.js';
import { transportError } from '../http/transportErrors.js';

type ServiceUser = Extract<SwiftSettings['credentials'], { kind: 'SERVICE_USER' }>;

/** Gets a project-scoped token by password (Identity API v3), with the object store's public URL from the catalogue. */
export async function authenticateWithKeystone(request: LoginRequest, user: ServiceUser): Promise<SwiftLogin> {
  const url = new URL(request.settings.authUrl);
  const who = `Keystone at ${url.host}`;
  const scope = { project: { name: user.project, domain: { name: user.projectDomain } } };
  const answer = await postTokens(request, user, scope);
  const body = await readJson(answer, 1024 * 1024).catch((error: unknown) => {
    request.signal.throwIfAborted();
    throw transportError(error, who);
  });
  if (answer.status === 401 || answer.status === 403) throw await refusal(request, user, who);
  if (answer.status >= 500 || answer.status === 429) throw busy(who, answer.status);
  const token = tokenAnswer.safeParse(body);
  if (answer.status !== 201 || !token.success || answer.header('x-subject-token') === '') {
    throw new StowageError(
      'ENDPOINT_NOT_FOUND',
      `${who} has no Identity API v3 at ${tokensPath(url)} (${answer.status}).`,
      { help: 'The auth URL of Keystone mostly ends in :5000/v3 or /identity/v3.' },
    );
  }
  const { catalog, issued_at: issuedAt, expires_at: expiresAt } = token.data.token;
  return {
    token: answer.header('x-subject-token'),
    // The lifetime is computed with times of Keystone, and the end with our clock, because the clocks may differ.
    expiresAt: Date.now() + Date.parse(expiresAt) - Date.parse(issuedAt),
    storageUrl: () => objectStoreUrl(catalog ?? [], request.settings.region, who),
  };
}

const tokenAnswer = z.object({
  token: z.object({
    issued_at: z.string(),
    expires_at: z.string(),
    // An unscoped token has no catalogue, and a catalogue may list services without endpoints.
    catalog: z
      .array(
        z.object({
          type: z.string(),
          endpoints: z
            .array(z.object({ interface: z.string(), url: z.string(), region: z.string().nullish() }))
            .default([]),
        }),
      )
      .optional(),
  }),
});
type Catalog = NonNullable<z.infer<typeof tokenAnswer>['token']['catalog']>;

function objectStoreUrl(catalog: Catalog, region: string | undefined, who: string): URL {
  const endpoints = catalog
    .filter((service) => service.type === 'object-store')
    .flatMap((service) => service.endpoints)
    .filter((endpoint) => endpoint.interface === 'public');
  const regions = [...new Set(endpoints.map((endpoint) => endpoint.region ?? ''))].sort();
  const list = regions.map((name) => `'${name}'`).join(', ');
  if (regions.length === 0) {
    throw new StowageError('ENDPOINT_NOT_FOUND', `${who} lists no object store in the catalogue of this project.`, {
      help: 'Ask the operator of the cloud to enable object storage for the project, or use another project.',
    });
  }
  if (region === undefined && regions.length > 1) {
    throw new StowageError('ENDPOINT_NOT_FOUND', `${who} lists object stores in ${regions.length} regions: ${list}.`, {
      help: 'Set the region of the file endpoint to one of them.',
      details: { regions },
    });
  }
  const chosen = endpoints.find((endpoint) => region === undefined || endpoint.region === region);
  if (chosen === undefined) {
    throw new StowageError('ENDPOINT_NOT_FOUND', `${who} lists no object store in region '${region ?? ''}'.`, {
      help: `Use one of the regions that have an object store: ${list}.`,
      details: { regions },
    });
  }
  return checkedStorageUrl(chosen.url, who);
}

/** Keystone returns 401 for every refusal. A second login without the project shows whether the password is right. */
async function refusal(request: LoginRequest, user: ServiceUser, who: string): Promise<StowageError> {
  const unscoped = await postTokens(request, user, undefined);
  await unscoped.body.dump();
  if (unscoped.status !== 201) {
    return new StowageError(
      'ENDPOINT_AUTH',
      `${who} refused user '${user.username}' of domain '${user.userDomain}', or the password.`,
      { help: 'Check the user name, the password and the domain of the user.' },
    );
  }
  return new StowageError(
    'ENDPOINT_AUTH',
    `${who} accepted the password, but user '${user.username}' has no role in a project '${user.project}' of domain '${user.projectDomain}'.`,
    { help: 'Check the name and the domain of the project, and that the user is a member of it.' },
  );
}

async function postTokens(
  { settings, http, signal }: LoginRequest,
  user: ServiceUser,
  scope: object | undefined,
): Promise<HttpAnswer> {
  const url = new URL(settings.authUrl);
  const identity = {
    methods: ['password'],
    password: {
      user: { name: user.username, domain: { name: user.userDomain }, password: user.password.reveal() },
    },
  };
  const body = Buffer.from(JSON.stringify({ auth: { identity, ...(scope === undefined ? {} : { scope }) } }));
  try {
    return await http.request({
      method: 'POST',
      origin: url.origin,
      path: tokensPath(url),
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: { sizeBytes: body.length, pieces: () => [body] },
      signal,
    });
  } catch (error) {
    signal.throwIfAborted();
    throw transportError(error, `Keystone at ${url.host}`);
  }
}

function tokensPath(url: URL): string {
  const base = url.pathname.replace(/\/+$/, '').replace(/\/auth\/tokens$/, '');
  return `${base.endsWith('/v3') ? base : `${base}/v3`}/auth/tokens`;
}
