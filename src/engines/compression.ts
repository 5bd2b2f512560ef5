/** What the compressor saves: processor time, or bytes for a slow link. BALANCED is between them. */
export type Compression = 'FAST' | 'BALANCED' | 'SMALL';
