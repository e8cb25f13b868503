import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

const MODE = 0o600;

/**
 * Writes a file that only its owner may read, as a whole or not at all: a crash leaves the old content or the new one.
 * It is on disk when this returns. The folder is made if it is missing (0700).
 * @throws Error of the file system
 */
export function writePrivate(folder: string, name: string, content: string): void {
  if (!existsSync(folder)) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    syncFolder(dirname(folder));
  }
  const draft = join(folder, `${name}.new`);
  // One that a crash has left may have another mode, which opening does not change.
  rmSync(draft, { force: true });
  const file = openSync(draft, 'wx', MODE);
  try {
    writeSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(draft, join(folder, name));
  syncFolder(folder);
}

/** The content of such a file, undefined where there is none. One from a careless copy is protected again. */
export function readPrivate(folder: string, name: string): string | undefined {
  const file = join(folder, name);
  if (!existsSync(file)) return undefined;
  chmodSync(file, MODE);
  return readFileSync(file, 'utf8');
}

/** Removes it; what was not there is gone already. */
export function removePrivate(folder: string, name: string): void {
  rmSync(join(folder, name), { force: true });
  if (existsSync(folder)) syncFolder(folder);
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
