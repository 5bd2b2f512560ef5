/** The part with roles, their memberships and tablespaces. No restore replays it. */
export const globalsPart = 'globals';
