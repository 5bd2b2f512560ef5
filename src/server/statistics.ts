import { Extensions } from 'type-graphql';

/** Marks a field that counts or sums over many rows. A subscription that selects it is refused with TOO_COMPLEX. */
export function Statistics(): PropertyDecorator & MethodDecorator {
  return Extensions({ statistics: true });
}
