import pg, { type PoolClient } from 'pg';
import { noAnswer, patienceLeftMs } from './patience.js';

type GiveConnection = (error: Error | undefined, client?: PoolClient, release?: (error?: unknown) => void) => void;

// The code below calls these methods with their objects, by `Reflect.apply`.
// eslint-disable-next-line @typescript-eslint/unbound-method
const send = pg.Client.prototype.query;
// eslint-disable-next-line @typescript-eslint/unbound-method
const take = pg.Pool.prototype.connect;

/** A connection that is closed if a statement has no answer within the time limit of its request. */
class PatientClient extends pg.Client {
  // The overloads of `query` cannot be extended one by one. TypeORM uses the overload that returns a promise.
  override query = ((...statement: readonly unknown[]): unknown => {
    const sent: unknown = Reflect.apply(send, this, statement);
    const leftMs = patienceLeftMs();
    if (leftMs === undefined || !(sent instanceof Promise)) return sent;
    let isPending = true;
    const timer = setTimeout(() => {
      // The answer may wait in the socket because this process was busy. It is read before `setImmediate`.
      setImmediate(() => {
        if (isPending) streamOf(this).destroy(noAnswer());
      });
    }, leftMs);
    return sent.finally(() => {
      isPending = false;
      clearTimeout(timer);
    });
  }) as pg.Client['query'];
}

/** Gives up the wait for a connection at the time limit of the request. */
class PatientPool extends pg.Pool {
  override connect = ((give?: GiveConnection): unknown => {
    const wait = (callback?: GiveConnection): unknown => Reflect.apply(take, this, [callback]);
    const leftMs = patienceLeftMs();
    if (give === undefined || leftMs === undefined) return wait(give);
    if (leftMs === 0) {
      process.nextTick(() => give(noAnswer(), undefined, () => undefined));
      return undefined;
    }
    let hasGivenUp = false;
    const timer = setTimeout(() => {
      hasGivenUp = true;
      give(noAnswer(), undefined, () => undefined);
    }, leftMs);
    return wait((error, client, release) => {
      clearTimeout(timer);
      if (!hasGivenUp) give(error, client, release);
      else if (client !== undefined) release?.();
    });
  }) as pg.Pool['connect'];
}

/** The driver for TypeORM's option `driver`, and the class of connections for its option `extra`. */
export const patientDriver = { ...pg, Pool: PatientPool };
export const patientConnections = { Client: PatientClient };

/** The socket of a connection, which the types of the driver omit. */
function streamOf(client: pg.Client): { destroy(error: Error): void } {
  return (client as unknown as { connection: { stream: { destroy(error: Error): void } } }).connection.stream;
}
