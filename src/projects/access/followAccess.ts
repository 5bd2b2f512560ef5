import type { RecordedEvent } from '../../eventSourcing/event.js';
import type { Feed } from '../../eventSourcing/feed.js';
import type { SignInChanges } from '../../server/signInChanges.js';
import { actorOf, ownIssuer } from '../../server/viewer.js';
import { accessToken } from './accessToken.js';
import { members, type Member } from './members.js';

/** Reports revoked tokens and changed members of all processes. The result ends it. */
export function followAccess(feed: Feed, changes: SignInChanges): () => void {
  const subscription = feed.subscribe((event) => {
    const subject = subjectOf(event);
    if (subject !== undefined) changes.report(subject);
  });
  return () => subscription.close();
}

function subjectOf({ streamType, streamId, data }: RecordedEvent): string | undefined {
  if (streamType === accessToken.streamType) return actorOf({ kind: 'token', issuer: ownIssuer, sub: streamId });
  if (streamType !== members.streamType) return undefined;
  const { issuer, sub } = data as Member;
  return actorOf({ kind: 'person', issuer, sub });
}
