#!/usr/bin/env node
/**
 * Prints the messages of a GraphQL subscription of Stowage, one line of JSON each, until it completes.
 *
 *   node scripts/watch.js URL TOKEN 'subscription { backupJob(id: "…") { status phase message } }'
 *
 * URL is the http(s) address of the API. The WebSocket has the same address. Exit codes: 0 completed, 1 refused or
 * disconnected, 64 wrong arguments.
 */
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const [url, token, query] = process.argv.slice(2);
if (url === '--help' || query === undefined) {
  const usage =
    'Usage: node scripts/watch.js URL TOKEN SUBSCRIPTION\nPrints the messages of the subscription, one line of JSON each.';
  (url === '--help' ? process.stdout : process.stderr).write(`${usage}\n`);
  process.exit(url === '--help' ? 0 : 64);
}

const client = createClient({
  url: url.replace(/^http/, 'ws'),
  webSocketImpl: WebSocket,
  connectionParams: { authorization: `Bearer ${token}` },
  retryAttempts: 0,
});
try {
  for await (const { data, errors } of client.iterate({ query })) {
    if (errors !== undefined) throw errors;
    process.stdout.write(`${JSON.stringify(data)}\n`);
  }
} catch (failure) {
  const [first] = Array.isArray(failure) ? failure : [failure];
  process.stderr.write(`${first?.reason || first?.message || 'The connection was cut.'}\n`);
  if (first?.extensions?.help) process.stderr.write(`${first.extensions.help}\n`);
  process.exitCode = 1;
} finally {
  await client.dispose();
}
