import { ApolloServer } from '@apollo/server';
import { ApolloServerPluginCacheControlDisabled } from '@apollo/server/plugin/disabled';
import { expressMiddleware } from '@as-integrations/express5';
import express from 'express';
import { buildSchema } from 'graphql';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { graphqlCaller, type GraphqlCall } from './graphqlCaller.js';

/** Our schema with Apollo Server and express. The benchmark provides the resolvers. */
export type BareApi = {
  readonly call: GraphqlCall;
  stop(): Promise<void>;
};

/**
 * The baseline for complete answers: the same schema and the same libraries, without sign-in, checks, limits and
 * resolvers. `root` has a function for each selected field of Query. Nested fields are properties of the results.
 */
export async function startBareApi(root: object): Promise<BareApi> {
  const sdl = await readFile(new URL('../schema/schema.graphql', import.meta.url), 'utf8');
  const apollo = new ApolloServer({
    schema: buildSchema(sdl),
    rootValue: root,
    nodeEnv: 'production',
    stopOnTerminationSignals: false,
    plugins: [ApolloServerPluginCacheControlDisabled()],
  });
  await apollo.start();
  const server = createServer(express().use('/graphql', express.json(), expressMiddleware(apollo)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    call: graphqlCaller(`http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`),
    async stop() {
      server.close();
      server.closeAllConnections();
      await apollo.stop();
    },
  };
}
