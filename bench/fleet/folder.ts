import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const OUT = join(import.meta.dirname, '../out');

/** A folder on the disk of this checkout; the caller removes it. */
export function makeFolder(name: string): string {
  mkdirSync(OUT, { recursive: true });
  return mkdtempSync(join(OUT, `${name}-`));
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}
