/** What a disk may have after the power was lost: what was synced for certain, and of the rest any part. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Random } from '../../sim/random.ts';
import type { Called } from './straced.ts';

/** A disk writes a sector wholly or not at all. */
const SECTOR = 512;

type Change = Extract<Called, { do: 'write' | 'truncate' }>;

interface File {
  /** What is on the disk for certain. */
  synced: Buffer;
  /** What was done since, of which any part may be there. */
  since: Change[];
}

type Names = Map<string, File | 'folder'>;

export class Disk {
  readonly #top: string;
  /** As programs see it. */
  readonly #names: Names = new Map();
  /** What is on the disk of that for certain. */
  readonly #certain: Names = new Map();

  /** `top`: a folder that is there from the start, and empty. */
  constructor(top: string) {
    this.#top = top;
  }

  take(call: Called): void {
    if (call.do === 'say') return;
    const { path } = call;
    if (call.do === 'folder') this.#names.set(path, 'folder');
    else if (call.do === 'make')
      this.#names.set(path, this.#names.get(path) ?? { synced: Buffer.alloc(0), since: [] });
    else if (call.do === 'remove') this.#names.delete(path);
    else if (call.do === 'sync') this.#sync(path);
    else this.#file(path).since.push(call);
  }

  /** Whether a file is on the disk for certain, with all that was written to it. */
  isCertain(path: string): boolean {
    const file = this.#names.get(path);
    return typeof file === 'object' && file.since.length === 0 && this.#isIn(this.#certain, path);
  }

  /** Writes to a folder what may be there in place of the top: only what is certain (`least`), or more by chance. */
  write(folder: string, random: Random, least: boolean): void {
    const names = least || random.chance(0.5) ? this.#certain : this.#names;
    for (const [path, file] of names) {
      if (file === 'folder' || !this.#isIn(names, path)) continue;
      const to = join(folder, path.slice(this.#top.length));
      mkdirSync(dirname(to), { recursive: true });
      const since = least ? [] : file.since.flatMap((one) => sectors(one).filter(() => random.chance(0.5)));
      writeFileSync(to, after(file.synced, since));
    }
  }

  #sync(path: string): void {
    if (path === this.#top || this.#names.get(path) === 'folder') {
      for (const names of [this.#certain, this.#names])
        for (const [one] of names) if (dirname(one) === path) this.#settle(one);
    } else {
      const file = this.#file(path);
      file.synced = after(file.synced, file.since);
      file.since = [];
    }
  }

  #settle(path: string): void {
    const file = this.#names.get(path);
    if (file) this.#certain.set(path, file);
    else this.#certain.delete(path);
  }

  /** Whether there is a name, and those of all folders above. */
  #isIn(names: Names, path: string): boolean {
    return path === this.#top || (names.has(path) && this.#isIn(names, dirname(path)));
  }

  #file(path: string): File {
    const file = this.#names.get(path);
    assert.ok(typeof file === 'object', `${path} is a file`);
    return file;
  }
}

/** A file's content after all of the changes. */
function after(before: Buffer, changes: readonly Change[]): Buffer {
  let size = before.length;
  let most = size;
  for (const one of changes) {
    size = one.do === 'truncate' ? one.size : Math.max(size, one.at + one.data.length);
    most = Math.max(most, size);
  }
  const content = Buffer.alloc(most);
  before.copy(content);
  for (const one of changes) {
    if (one.do === 'write') one.data.copy(content, one.at);
    else content.fill(0, one.size);
  }
  return content.subarray(0, size);
}

/** A change as the disk may do it in parts. */
function sectors(change: Change): Change[] {
  if (change.do === 'truncate') return [change];
  const parts: Change[] = [];
  for (let from = 0; from < change.data.length; ) {
    const to = Math.min(change.data.length, from + SECTOR - ((change.at + from) % SECTOR));
    parts.push({ ...change, at: change.at + from, data: change.data.subarray(from, to) });
    from = to;
  }
  return parts;
}
