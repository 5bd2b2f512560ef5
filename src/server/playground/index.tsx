/** The page at /playground: GraphiQL with the sign-in and the main job as tabs. */
import { GraphiQL } from 'graphiql';
import { useEffect, useMemo, useState, type SubmitEvent } from 'react';
import { createRoot } from 'react-dom/client';
import 'graphiql/style.css';
import { examples } from './examples.js';
import { fetcherWith } from './fetcher.js';
import './playground.css';
import { useBundledWorkers } from './workers.js';

const tokenKey = 'stowage:token';
const tabs = examples.map(({ query, variables }) => ({
  query,
  variables: variables === undefined ? null : JSON.stringify(variables, null, 2),
}));

/** Everything typed here may contain a secret. So it is kept in sessionStorage, which ends with the browser's tab. */
function Playground() {
  const [token, setToken] = useState(() => sessionStorage.getItem(tokenKey) ?? '');
  const session = useSession();
  const connection = useMemo(() => fetcherWith(token), [token]);
  useEffect(() => () => connection.close(), [connection]);
  useMemo(showActiveTab, [token]);

  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const typed = new FormData(event.currentTarget).get('token');
    const given = typeof typed === 'string' ? typed.trim() : '';
    sessionStorage.setItem(tokenKey, given);
    setToken(given);
  };

  return (
    <div className="playground">
      <header>
        <strong>Stowage</strong>
        <form onSubmit={submit}>
          <label htmlFor="token">Token</label>
          <input
            id="token"
            name="token"
            type="password"
            autoComplete="off"
            defaultValue={token}
            placeholder="STOWAGE_ADMIN_TOKEN, or as stowage up printed it"
          />
          <button type="submit">Use</button>
        </form>
        <Session session={session} hasToken={token !== ''} />
      </header>
      <main>
        {/* A new key reads the schema again, with the new token. */}
        <GraphiQL
          key={token}
          fetcher={connection.fetcher}
          storage={sessionStorage}
          defaultTabs={tabs}
          defaultEditorToolsVisibility="variables"
          isHeadersEditorEnabled={false}
          showPersistHeadersSettings={false}
        />
      </main>
    </div>
  );
}

type SessionOfBrowser = { readonly signedIn: boolean; readonly name: string | null };

/** The session of this browser. Undefined: it is not known yet. */
function useSession(): SessionOfBrowser | undefined {
  const [session, setSession] = useState<SessionOfBrowser>();
  useEffect(() => {
    const nobody = { signedIn: false, name: null };
    void fetch('/sign-in/session')
      .then(async (response) => (response.ok ? ((await response.json()) as SessionOfBrowser) : nobody))
      .catch(() => nobody)
      .then(setSession);
  }, []);
  return session;
}

function Session({ session, hasToken }: { session: SessionOfBrowser | undefined; hasToken: boolean }) {
  if (hasToken) return <span>The token is used, and kept until this browser tab is closed.</span>;
  if (session === undefined) return null;
  if (!session.signedIn) {
    return (
      <span>
        <a href="/sign-in?return=/playground">Sign in</a>, or use a token. Without both everything is refused.
      </span>
    );
  }
  return (
    <>
      <span>
        {session.name} (<a href="/sign-in/sessions">sessions</a>)
      </span>
      <form method="post" action="/sign-out">
        <button type="submit">Sign out</button>
      </form>
    </>
  );
}

/**
 * GraphiQL stores its tabs, but begins with the text under other keys, which it writes only after an edit. Without this the
 * variables of the first example would be empty, and so would an open tab after a reload.
 */
function showActiveTab(): void {
  const stored = JSON.parse(sessionStorage.getItem('graphiql:tabState') ?? '{}') as StoredTabs;
  const active = stored.tabs?.[stored.activeTabIndex ?? 0] ?? tabs[0];
  sessionStorage.setItem('graphiql:query', active?.query ?? '');
  sessionStorage.setItem('graphiql:variables', active?.variables ?? '');
}

type StoredTabs = {
  readonly tabs?: readonly { readonly query: string | null; readonly variables: string | null }[];
  readonly activeTabIndex?: number;
};

useBundledWorkers();
const root = document.getElementById('root');
if (root === null) throw new Error('The page has no element #root.');
createRoot(root).render(<Playground />);
