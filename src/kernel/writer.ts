import type { Line } from './arguments.ts';
import { Coprocess, type CoprocessOptions } from './coprocess.ts';
import type { Verdict } from './group.ts';

/**
 * The process that changes the kernel, and its successors. ip keeps the index of every device that it was once told
 * the name of (lib/ll_map.c), so one that lives long takes a device that was made again for the one that has gone:
 * ENODEV then, or in theory a wrong one.
 */
export class Writer {
  readonly #options: CoprocessOptions;
  #process: Coprocess;
  readonly #endings = new Set<Promise<void>>();
  #closed = false;

  constructor(options: CoprocessOptions) {
    this.#options = options;
    this.#process = new Coprocess(options);
    this.#process.start();
  }

  /** Process id while one runs, for tests. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  run(lines: readonly Line[]): Promise<Verdict[]> {
    return this.#process.run(lines);
  }

  /** Whether an error may be due to what the process remembers, which another one would not. */
  misremembers(error: Verdict): boolean {
    return /no such device|device (is )?not found|device does not exist/i.test(error?.what ?? '');
  }

  /** Another process for all that is run from now on; the former finishes what it has. */
  renew(): void {
    if (this.#closed) return;
    const ending = this.#process.close().finally(() => this.#endings.delete(ending));
    this.#endings.add(ending);
    this.#process = new Coprocess(this.#options);
    this.#process.start();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([this.#process.close(), ...this.#endings]);
  }
}
