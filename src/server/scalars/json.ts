import { GraphQLJSON } from 'graphql-scalars';

/** Any JSON value. Use it only if the engine or the event defines the shape, never to avoid naming fields. */
export const JsonScalar = GraphQLJSON;
