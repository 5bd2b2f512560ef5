import pg, { type PoolClient } from 'pg';
import { FairPlaces } from './fairPlaces.js';
import { noAnswer, patienceLeftMs, viewerOfWork } from './patience.js';

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

/** Divides its connections among viewers, and gives up the wait for a connection at the time limit of the request. */
class PatientPool extends pg.Pool {
  readonly #places = new FairPlaces(this.options.max);

  override connect = ((give?: GiveConnection): unknown => {
    const wait = (callback?: GiveConnection): unknown => Reflect.apply(take, this, [callback]);
    if (give === undefined) return wait();
    const leftMs = patienceLeftMs();
    if (leftMs === 0) {
      process.nextTick(() => give(noAnswer(), undefined, () => undefined));
      return undefined;
    }
    let hasGivenUp = false;
    const giveUp = () => {
      hasGivenUp = true;
      endWait();
      give(leftMs === undefined ? noConnection() : noAnswer(), undefined, () => undefined);
    };
    const limitMs = leftMs ?? this.options.connectionTimeoutMillis;
    const timer = limitMs === undefined ? undefined : setTimeout(giveUp, limitMs);
    const endWait = this.#places.enter(viewerOfWork(), (leave) => {
      wait((error, client, release) => {
        clearTimeout(timer);
        const giveBack = (problem?: unknown) => {
          if (client !== undefined) release?.(problem);
          leave();
        };
        if (client === undefined || hasGivenUp) giveBack();
        if (!hasGivenUp) give(error, client, giveBack);
      });
    });
    return undefined;
  }) as pg.Pool['connect'];
}

/** The error of the pool itself. */
function noConnection(): Error {
  return new Error('timeout exceeded when trying to connect');
}

/** The driver for TypeORM's option `driver`, and the class of connections for its option `extra`. */
export const patientDriver = { ...pg, Pool: PatientPool };
export const patientConnections = { Client: PatientClient };

/** The socket of a connection, which the types of the driver omit. */
function streamOf(client: pg.Client): { destroy(error: Error): void } {
  return (client as unknown as { connection: { stream: { destroy(error: Error): void } } }).connection.stream;
}
