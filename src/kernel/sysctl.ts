import { existsSync, readFileSync, writeFile, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { CodedError } from '../errors.ts';
import { sysctlPath, sysctlValue } from './arguments.ts';

/** Settings that are written without the kernel's routing lock (net/ipv4/devinet.c, net/ipv6/addrconf.c). */
const LOCKLESS = new Set(['rp_filter', 'arp_announce', 'route_localnet', 'accept_ra']);

/**
 * Settings of the kernel as files. Reading takes some microseconds and no lock, and is done synchronously; so is the
 * writing of those that take no lock. Others, such as `forwarding`, spin for as long as somebody holds the routing
 * lock, which may be tens of milliseconds, and go to a thread.
 */
export class Sysctls {
  readonly #root: string;
  /** Whether the kernel has IPv6, which does not change while it runs. */
  readonly ipv6: boolean;

  constructor(root = '/proc/sys') {
    this.#root = root;
    this.ipv6 = existsSync(join(root, 'net/ipv6'));
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
      await write(file, value, LOCKLESS.has(basename(path)));
    } catch (error) {
      const why = hasCode(error, 'EROFS') ? '/proc/sys is read-only' : errorText(error);
      throw refused(`${path} cannot be set to ${value}: ${why}`, error);
    }
    const after = this.read(path);
    if (after !== wanted) throw refused(`${path} is ${after} although it was set to ${value}`);
  }

  /** A kernel without IPv6 has none of its settings, and needs none. */
  isMoot(path: string): boolean {
    return path.startsWith('net/ipv6/') && !this.ipv6;
  }

  #file(path: string): string {
    return join(this.#root, ...sysctlPath(path));
  }
}

function write(file: string, value: string, atOnce: boolean): Promise<void> {
  // An existing file only: `r+` neither creates nor truncates.
  const options = { flag: 'r+' } as const;
  return new Promise((resolve, reject) => {
    if (atOnce) resolve(writeFileSync(file, `${value}\n`, options));
    else writeFile(file, `${value}\n`, options, (error) => (error ? reject(error) : resolve()));
  });
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
