import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError } from '../errors.ts';
import { sysctlPath, sysctlValue } from './arguments.ts';

/**
 * Settings of the kernel as files. They are read synchronously, which takes some microseconds and no lock; writing
 * goes to a thread, because `forwarding` needs the routing lock (net/ipv4/devinet.c), which somebody may hold for
 * tens of milliseconds.
 */
export class Sysctls {
  readonly #root: string;

  constructor(root = '/proc/sys') {
    this.#root = root;
  }

  /** The value without its line end, tabs as spaces; undefined if there is no such setting. */
  read(path: string): string | undefined {
    const file = this.#file(path);
    try {
      return plain(readFileSync(file, 'utf8'));
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw refused(`${path} cannot be read`, error);
    }
  }

  /**
   * Sets what is not set yet, and reads it back.
   * @throws NR_KERNEL_ARGUMENT, NR_KERNEL_REFUSED if there is no such setting, it is read-only or takes another value
   */
  async put(path: string, value: string): Promise<void> {
    const file = this.#file(path);
    const wanted = plain(sysctlValue(value));
    if (this.isMoot(path)) return;
    const before = this.read(path);
    if (before === undefined) throw refused(`there is no setting ${path}`);
    if (before === wanted) return;
    try {
      await writeFile(file, `${value}\n`, { flag: 'r+' });
    } catch (error) {
      const why = hasCode(error, 'EROFS') ? '/proc/sys is read-only' : errorText(error);
      throw refused(`${path} cannot be set to ${value}: ${why}`, error);
    }
    const after = this.read(path);
    if (after !== wanted) throw refused(`${path} is ${after} although it was set to ${value}`);
  }

  /** A kernel without IPv6 has none of its settings, and needs none. */
  isMoot(path: string): boolean {
    return path.startsWith('net/ipv6/') && !existsSync(join(this.#root, 'net/ipv6'));
  }

  #file(path: string): string {
    return join(this.#root, ...sysctlPath(path));
  }
}

function plain(text: string): string {
  return text.trim().replaceAll(/[ \t]+/g, ' ');
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function refused(what: string, cause?: unknown): CodedError {
  return new CodedError('NR_KERNEL_REFUSED', what, { cause });
}
