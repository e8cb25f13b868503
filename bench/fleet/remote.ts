/** A process of a fleet, as the bench's own process sees it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Call, Usage, Word } from './protocol.ts';

const WORKER = join(import.meta.dirname, 'worker.ts');

/** How long a process gets to end by itself, in milliseconds. */
const END_MS = 20000;

/** Methods of a crew, called from another process. */
export type Remote<C> = {
  readonly [K in keyof C]: C[K] extends (...parameters: infer P) => infer R
    ? (...parameters: P) => Promise<Awaited<R>>
    : never;
} & { readonly usage: () => Promise<Usage> };

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class RemoteProcess<C> {
  readonly crew: Remote<C>;
  readonly pid: number;
  /** Told of changes that all nodes of the process have seen. */
  seen: (name: string, at: number) => void = () => {};
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #calls = 0;
  #ready: Waiting | undefined;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.pid = child.pid ?? 0;
    this.crew = new Proxy({} as Remote<C>, {
      get: (_, method) =>
        method === 'then' ? undefined : (...parameters: unknown[]) => this.#call(String(method), parameters),
    });
    child.on('message', (word: Word) => this.#take(word));
    child.on('exit', (code) => {
      const error = new Error(`a process of the fleet has ended with ${code}`);
      this.#ready?.reject(error);
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    });
  }

  /** Starts a process of a kind in a network namespace. */
  static async start<C>(
    kind: string,
    namespace: string,
    flags: readonly string[] = [],
  ): Promise<RemoteProcess<C>> {
    const node = [process.execPath, ...flags, WORKER, kind];
    const child = spawn('ip', ['netns', 'exec', namespace, ...node], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
    });
    const remote = new RemoteProcess<C>(child);
    await new Promise<unknown>((resolve, reject) => {
      child.on('error', reject);
      remote.#ready = { resolve, reject };
    });
    return remote;
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    // The worker ends then; one that is too busy to notice is ended.
    if (this.#child.connected) this.#child.disconnect();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), END_MS);
    await ended;
    clearTimeout(timer);
  }

  #call(method: string, parameters: readonly unknown[]): Promise<unknown> {
    const call: Call = { id: ++this.#calls, method, parameters };
    return new Promise((resolve, reject) => {
      this.#waiting.set(call.id, { resolve, reject });
      this.#child.send(call);
    });
  }

  #take(word: Word): void {
    if (word.kind === 'ready') return this.#ready?.resolve(undefined);
    if (word.kind === 'seen') return this.seen(word.name, word.at);
    const waiting = this.#waiting.get(word.id);
    this.#waiting.delete(word.id);
    if (word.error === undefined) waiting?.resolve(word.value);
    else waiting?.reject(new Error(word.error));
  }
}
