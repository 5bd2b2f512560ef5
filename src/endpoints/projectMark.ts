import { createHmac } from 'node:crypto';

/** The installation and the project that an endpoint belongs to. */
export type PlaceOwner = { readonly installationId: string; readonly projectId: string };

const markLength = 22;

/**
 * The name of a project in the markers of the installation. A reader of a container learns from it only whether two
 * places belong to one project. It does not reveal the id of the project, which is random.
 */
export function projectMark({ installationId, projectId }: PlaceOwner): string {
  return createHmac('sha256', installationId).update(projectId).digest('base64url').slice(0, markLength);
}

/** The marks of projects in a field of a marker, which anybody may have written. */
export function projectMarksIn(field: unknown): readonly string[] {
  if (!Array.isArray(field)) return [];
  const marks = field.filter((each): each is string => typeof each === 'string' && isMark.test(each));
  return [...new Set(marks)].slice(0, mostMarks);
}

const isMark = new RegExp(`^[\\w-]{${markLength}}$`);
const mostMarks = 100;
