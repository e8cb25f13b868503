import { chmodSync, closeSync, existsSync, fsyncSync, mkdirSync, openSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Makes the folder (0700) and an empty file (0600) where they are missing. The file is made here because SQLite would
 * make it readable for all; its journal gets the same mode from SQLite. An existing file is not opened: to close any
 * descriptor of it would release this process's locks on it (fcntl).
 */
export function prepareFile(file: string): void {
  const folder = dirname(file);
  if (!existsSync(folder)) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    syncFolder(dirname(folder)); // else a power failure could take the new folder with all that was acknowledged
  }
  if (existsSync(file)) {
    if (!statSync(file).isFile()) throw new Error('it is not a file');
    return;
  }
  closeSync(openSync(file, 'wx', 0o600));
  syncFolder(folder);
}

/** The file may be from a careless copy. */
export function protectFile(file: string): void {
  chmodSync(file, 0o600);
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Which files have the names that they were opened by: to be made when they are open. */
export class Named {
  readonly #files: readonly (readonly [name: string, identity: string])[];

  constructor(...names: readonly string[]) {
    this.#files = names.flatMap((name) => {
      const identity = identityOf(name);
      return identity === undefined ? [] : [[name, identity] as const];
    });
  }

  /** What has become of a name; undefined if all are as they were. What is written goes to a file without a name then. */
  get trouble(): string | undefined {
    for (const [name, identity] of this.#files) {
      const now = identityOf(name);
      if (now !== identity)
        return `${name} was ${now === undefined ? 'removed or moved' : 'replaced by another file'} while it is in use`;
    }
    return undefined;
  }
}

/** Device and number of the file that a name leads to. */
function identityOf(name: string): string | undefined {
  const found = statSync(name, { bigint: true, throwIfNoEntry: false });
  return found && `${found.dev} ${found.ino}`;
}

/** Removes a closed store's file with all that is in it. What a crash leaves of its journal is nothing SQLite reads. */
export function removeStore(file: string): void {
  for (const end of ['', '-wal', '-shm']) rmSync(`${file}${end}`, { force: true });
}
