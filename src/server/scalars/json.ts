import { GraphQLJSON } from 'graphql-scalars';

/** Any JSON value. Use it where the shape is the engine's or the event's own, never to avoid naming fields. */
export const JsonScalar = GraphQLJSON;
