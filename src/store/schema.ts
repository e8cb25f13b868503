/** "nr-s", which tells our files from other programs' (PRAGMA application_id). */
export const APPLICATION_ID = 0x6e722d73;

/**
 * What takes a file from each storage version to the next: the first creates it. PRAGMA user_version is the number of
 * those that were applied. Released ones are never changed; a file with more of them is from a newer release.
 */
export const MIGRATIONS: readonly string[] = [
  // With a row id: ids are random, and scattering only the small index writes half the pages (twice the commits).
  `CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TABLE record (
     key TEXT PRIMARY KEY NOT NULL CHECK (key GLOB '?*/?*'),
     value TEXT NOT NULL CHECK (json_valid(value)),
     sequence INTEGER NOT NULL CHECK (sequence > 0)
   ) STRICT;
   INSERT INTO meta VALUES ('origin', lower(hex(randomblob(16)))), ('sequence', 0);`,
];
