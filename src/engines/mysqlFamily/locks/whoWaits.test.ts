import { describe, expect, test } from '@jest/globals';
import type { LockPicture, MetadataLock, ServerSession } from './lockPicture.js';
import { findBlocked, lastReadOf, type LastRead } from './whoWaits.js';

const large = { database: 'shop', table: 'large' };
const lastRead: LastRead = { table: large, queryId: '10' };

function session(id: string, statement: string | null, state = '', more: Partial<ServerSession> = {}): ServerSession {
  return { id, user: 'app', host: 'h:1', database: 'shop', command: 'Query', state, statement, queryId: id, ...more };
}
function lock(sessionId: string, table: string, mode: string, isPending = false): MetadataLock {
  return { sessionId, kind: 'Table', database: 'shop', table, mode, isPending };
}
const tool = session('1', 'SELECT /*!40001 SQL_NO_CACHE */ * FROM `large`', 'Writing to net', { queryId: '10' });
const metadata = 'Waiting for table metadata lock';

function blocked(picture: Partial<LockPicture>, read: LastRead | null = lastRead): readonly string[] {
  const whole = { sessions: [], locks: null, showsPending: false, ...picture };
  return findBlocked(whole, '1', read ?? undefined).map(({ session: { id } }) => id);
}

describe('The sessions that wait for a tool that reads a table', () => {
  test.each<[string, ServerSession, boolean]>([
    ['an ALTER TABLE', session('2', 'ALTER TABLE large ADD x INT', metadata), true],
    ['an ALTER TABLE of another table', session('2', 'ALTER TABLE small ADD x INT', metadata), false],
    ['an ALTER TABLE that runs', session('2', 'ALTER TABLE large ADD x INT', 'copy to tmp table'), false],
    ['a SELECT, which waits behind another session', session('2', 'SELECT 1 FROM large', metadata), false],
    ['an UPDATE of a MyISAM table', session('2', 'UPDATE large SET a = 1', 'Waiting for table level lock'), true],
    [
      'a SELECT of a MyISAM table behind it',
      session('2', 'SELECT 1 FROM large', 'Waiting for table level lock'),
      false,
    ],
    ['an INSERT DELAYED', session('2', 'large', 'Waiting for table level lock', { command: 'Delayed insert' }), true],
    [
      'a FLUSH of all tables, before 10.4',
      session('2', 'FLUSH TABLES WITH READ LOCK', 'Waiting for table flush'),
      true,
    ],
    ['a SELECT behind such a flush', session('2', 'SELECT 1 FROM large', 'Waiting for table flush'), true],
    ['a flush of another table', session('2', 'FLUSH TABLES small', 'Waiting for table flush'), false],
    [
      'an INSERT under FLUSH TABLES WITH READ LOCK',
      session('2', 'INSERT INTO large VALUES (1)', 'Waiting for backup lock'),
      false,
    ],
    ['a replica’s thread without a statement', session('2', null, metadata), false],
  ])('are found by the statement: %s', (_, waiting, expected) => {
    expect(blocked({ sessions: [tool, waiting] })).toEqual(expected ? ['2'] : []);
  });

  test('are none while the tool itself waits', () => {
    const waiting = { ...tool, state: metadata };
    expect(lastReadOf(waiting, lastRead)).toBeUndefined();
    expect(blocked({ sessions: [waiting, session('2', 'ALTER TABLE large ADD x INT', metadata)] }, null)).toEqual([]);
  });

  test('are found also while the tool sleeps because its output is not read, until it runs another statement', () => {
    const asleep = { ...tool, command: 'Sleep', statement: null };
    expect(lastReadOf(asleep, lastRead)).toEqual(lastRead);
    expect(lastReadOf({ ...asleep, queryId: '11' }, lastRead)).toBeUndefined();
  });

  test('are found by the locks that are held, if the server shows them: no other table counts', () => {
    const locks = [lock('1', 'other', 'SHARED_READ'), lock('3', 'large', 'SHARED_NO_READ_WRITE')];
    const waiting = session('2', 'ALTER TABLE large ADD x INT', metadata);
    expect(blocked({ sessions: [tool, waiting], locks })).toEqual([]);
  });

  test('are found for any statement if only the tool holds a lock and runs', () => {
    const waiting = [session('2', 'DROP TRIGGER t', metadata), session('4', null, metadata)];
    const locks = [lock('1', 'large', 'SHARED_READ'), lock('2', 'x', 'SHARED_UPGRADABLE')];
    expect(blocked({ sessions: [tool, ...waiting], locks })).toEqual(['2', '4']);
    expect(blocked({ sessions: [tool, ...waiting], locks: [...locks, lock('3', 'y', 'SHARED_READ')] })).toEqual([]);
  });

  test('are the sessions that wait directly: sessions that read and write rows wait behind another session', () => {
    const waiting = ['INSERT INTO large VALUES (1)', 'SELECT 1 FROM large', 'ALTER TABLE large ADD x INT'].map(
      (statement, index) => session(String(index + 2), statement, metadata),
    );
    const locks = [lock('1', 'large', 'SHARED_READ'), lock('4', 'large', 'SHARED_UPGRADABLE')];
    const found = findBlocked({ sessions: [tool, ...waiting], locks, showsPending: false }, '1', lastRead);
    expect(found.map(({ session: { id }, isFirst }) => [id, isFirst])).toEqual([
      ...[
        ['2', false],
        ['3', false],
        ['4', true],
      ],
    ]);
  });

  test('are found by the locks that are waited for, if the server shows them too', () => {
    const waiting = [session('2', 'CALL p()', metadata), session('3', 'ALTER TABLE large ADD x INT', metadata)];
    const locks = [
      ...[
        lock('1', 'large', 'SHARED_READ'),
        lock('2', 'large', 'EXCLUSIVE', true),
        lock('3', 'small', 'EXCLUSIVE', true),
      ],
    ];
    expect(blocked({ sessions: [tool, ...waiting], locks, showsPending: true })).toEqual(['2']);
  });
});
