import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Settings of the kernel by path with slashes, such as `net/ipv4/ip_forward`. */
export interface Sysctls {
  /** The value; undefined for a setting that this kernel, or this network namespace, does not have. */
  read(path: string): string | undefined;
  /** Throws what the file system throws. */
  write(path: string, value: string): void;
}

export function sysctls(root = '/proc/sys'): Sysctls {
  return {
    read(path) {
      try {
        return readFileSync(join(root, path), 'utf8').trim();
      } catch {
        return undefined;
      }
    },
    write(path, value) {
      writeFileSync(join(root, path), value);
    },
  };
}

/** The name that sysctl(8) takes. */
export function dotted(path: string): string {
  return path.replaceAll('/', '.');
}
