/** `query` finds objects by `schema` (or null) and `name`. Servers older than `sinceMajor` cannot run it. */
export type Hazard = {
  readonly query: string;
  readonly sentence: (names: string) => string;
  readonly sinceMajor?: number;
};
