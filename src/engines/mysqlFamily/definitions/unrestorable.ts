/** An object that no server can restore from a dump. `object` and `why` are parts of one sentence. */
export type Unrestorable = { readonly object: string; readonly why: string; readonly help: string };
