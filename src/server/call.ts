import { createParameterDecorator } from 'type-graphql';
import type { RequestContext } from './requestContext.js';
import type { OperationCall } from './requires.js';

/** The call of an operation as a parameter of its resolver: `@Call() call: OperationCall`. */
export function Call(): ReturnType<typeof createParameterDecorator> {
  return createParameterDecorator<RequestContext>(({ context, info }): OperationCall => ({ context, info }));
}
