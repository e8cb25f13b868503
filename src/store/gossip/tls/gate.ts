import type { Socket } from 'node:net';
import type { Clock } from '../../../ports/clock.ts';
import type { Limits } from './limits.ts';

interface Options {
  readonly limits: Limits;
  readonly clock: Clock;
  /** A connection ended, or was turned away, before anybody knew whose it was. */
  readonly refused: (reason: string, remote: string) => void;
}

/** A connection that has not shown yet who it is. */
export interface Visit {
  /** The first reason that is given counts; without one it was the handshake. */
  blame(reason: string): void;
  /** Ends the connection for a reason. */
  end(reason: string): void;
  /** It is known whose it is: what becomes of it is somebody else's affair. */
  pass(): void;
}

/**
 * Bounds what strangers take up: so many at once, so many from one address, and none for longer than it takes to say who
 * they are.
 */
export class Gate {
  readonly #options: Options;
  readonly #visits = new Map<string, Visit>();
  readonly #byAddress = new Map<string, number>();

  constructor(options: Options) {
    this.#options = options;
  }

  /** How many are at the gate. */
  get pending(): number {
    return this.#visits.size;
  }

  /** The visit of a socket, also by one of TLS that is upon it. */
  of(socket: Pick<Socket, 'remoteAddress' | 'remotePort'>): Visit | undefined {
    return this.#visits.get(nameOf(socket));
  }

  /** Lets a connection come near, or ends it and answers false. */
  enter(socket: Socket): boolean {
    const { limits, clock, refused } = this.#options;
    const name = nameOf(socket);
    const address = socket.remoteAddress ?? '';
    const fromThere = this.#byAddress.get(address) ?? 0;
    if (this.#visits.size >= limits.pending || fromThere >= limits.pendingPerAddress) {
      refused('crowded', name);
      socket.destroy();
      return false;
    }
    let why: string | undefined;
    let passed = false;
    const end = (reason: string) => {
      why ??= reason;
      socket.destroy();
    };
    const cancel = clock.after(limits.handshakeMs, () => end('timeout'));
    const leave = () => {
      cancel();
      if (!this.#visits.delete(name)) return;
      const left = (this.#byAddress.get(address) ?? 1) - 1;
      if (left > 0) this.#byAddress.set(address, left);
      else this.#byAddress.delete(address);
      if (!passed) refused(why ?? 'handshake', name);
    };
    this.#byAddress.set(address, fromThere + 1);
    this.#visits.set(name, {
      end,
      blame: (reason) => {
        why ??= reason;
      },
      pass: () => {
        passed = true;
        leave();
      },
    });
    // Those who read from it have something to say about why it ended, and hear of it later.
    socket.once('close', () => setImmediate(leave));
    return true;
  }

  /** Ends them all. */
  close(): void {
    for (const visit of this.#visits.values()) visit.end('stopped');
  }
}

function nameOf({ remoteAddress, remotePort }: Pick<Socket, 'remoteAddress' | 'remotePort'>): string {
  return `${remoteAddress}:${remotePort}`;
}
