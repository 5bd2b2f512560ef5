import { Extensions } from 'type-graphql';

/** Marks a field that counts or sums over many rows. Under a Subscription it is refused with TOO_COMPLEX. */
export function Statistics(): PropertyDecorator & MethodDecorator {
  return Extensions({ statistics: true });
}
