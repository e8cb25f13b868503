import type { Class } from '../ports/store.ts';

/** "nr-s", which tells our files from other programs' (PRAGMA application_id). */
export const APPLICATION_ID = 0x6e722d73;

/** Classes by their number in the file. */
export const CLASSES: readonly Class[] = ['owned', 'ownership', 'shared', 'local'];

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

  // Records of many hosts. Networks, endpoints and allocations become this host's own; number 1 is its origin. The
  // classes: 0 owned, 1 ownership, 2 shared, 3 local. A value that is null is a tombstone.
  `CREATE TABLE origin (
     number INTEGER PRIMARY KEY,
     name TEXT NOT NULL UNIQUE CHECK (length(name) = 32),
     known INTEGER NOT NULL
   ) STRICT;
   INSERT INTO origin SELECT 1, o.value, s.value FROM meta AS o, meta AS s WHERE o.name = 'origin' AND s.name = 'sequence';
   ALTER TABLE record RENAME TO record1;
   CREATE TABLE record (
     key TEXT PRIMARY KEY NOT NULL CHECK (key GLOB '?*/?*'),
     class INTEGER NOT NULL,
     value TEXT CHECK (json_valid(value)),
     origin INTEGER NOT NULL REFERENCES origin,
     sequence INTEGER NOT NULL CHECK (sequence > 0),
     rank INTEGER NOT NULL,
     seal BLOB
   ) STRICT;
   INSERT INTO record
     SELECT replace(substr(key, 1, instr(key, '/')), '/', '/' || (SELECT name FROM origin) || '/')
              || substr(key, instr(key, '/') + 1),
            0, value, 1, sequence, sequence, NULL
     FROM record1 WHERE key GLOB 'network/*' OR key GLOB 'endpoint/*' OR key GLOB 'allocation/*'
     UNION ALL
     SELECT key, 2, value, 1, sequence, sequence, NULL
     FROM record1 WHERE NOT (key GLOB 'network/*' OR key GLOB 'endpoint/*' OR key GLOB 'allocation/*');
   DROP TABLE record1;
   DELETE FROM meta;
   CREATE INDEX record_dot ON record (origin, sequence);
   CREATE INDEX record_class ON record (class) WHERE class <> 0;
   CREATE INDEX record_dead ON record (key) WHERE value IS NULL;`,

  // How many of an origin's records stand, and the sum of their hashes modulo 2^64, as a signed number. Each migration
  // counts them anew when it is done.
  `ALTER TABLE origin ADD COLUMN owned INTEGER NOT NULL DEFAULT 0;
   ALTER TABLE origin ADD COLUMN owned_hash INTEGER NOT NULL DEFAULT 0;
   ALTER TABLE origin ADD COLUMN common INTEGER NOT NULL DEFAULT 0;
   ALTER TABLE origin ADD COLUMN common_hash INTEGER NOT NULL DEFAULT 0;`,
];
