import { createServer } from 'node:net';
import { CodedError } from '../../errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Listener, Transport } from '../../store/gossip/transport.ts';

/** Pause before it is tried again, in milliseconds. */
const AGAIN_MS = 5000;
const WILDCARDS = ['::', '0.0.0.0'];

/** Where a member listens for others. */
export interface ListenAt {
  /** All that the host has, if absent. */
  readonly address?: string | undefined;
  /** 0 for any. */
  readonly port: number;
}

/**
 * The port on which a member waits for others. That another program has it is no reason not to serve Docker: this host
 * can still reach others, and goes on trying.
 */
export class Listening {
  readonly #transport: Transport;
  readonly #at: ListenAt;
  readonly #clock: Clock;
  readonly #log: Log;
  #listener: Listener | undefined;
  #trouble: CodedError | undefined;
  #cancel = () => {};
  #stopped = false;

  constructor(transport: Transport, at: ListenAt, { clock, log }: { clock: Clock; log: Log }) {
    this.#transport = transport;
    this.#at = at;
    this.#clock = clock;
    this.#log = log;
  }

  get port(): number {
    return this.#listener?.port ?? this.#at.port;
  }

  /** The one address that it listens on; undefined when it is all of the host's. */
  get ownAddress(): string | undefined {
    return this.#listener && !WILDCARDS.includes(this.#listener.address) ? this.#listener.address : undefined;
  }

  /** Why nobody can connect. */
  get trouble(): CodedError | undefined {
    return this.#trouble;
  }

  /** Never throws. */
  async start(): Promise<void> {
    try {
      const listener = await this.#transport.listen(this.#at.address, this.#at.port);
      if (this.#stopped) return await listener.close();
      this.#listener = listener;
      this.#trouble = undefined;
      this.#log.info({ address: listener.address, port: listener.port }, 'listens for other hosts');
    } catch (error) {
      if (!this.#trouble) this.#log.error({ err: error, ...this.#at }, 'cannot listen for other hosts');
      this.#trouble = cannotListen(this.#at, error);
      if (!this.#stopped) this.#cancel = this.#clock.after(AGAIN_MS, () => void this.start());
    }
  }

  /** Does not try any more; the transport closes what it has. */
  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }
}

/** What it means for a person. */
function cannotListen({ address, port }: ListenAt, error: unknown): CodedError {
  const where = address === undefined ? `port ${port}` : `${address} port ${port}`;
  const { code, message } = error as NodeJS.ErrnoException;
  const why = code === 'EADDRINUSE' ? 'another program has it' : message;
  return new CodedError('NR_CLUSTER_LISTEN', `cannot listen on TCP ${where}: ${why}`, { cause: error });
}

/** Whether this host could listen there, before anything is changed for it. @throws NR_CLUSTER_LISTEN */
export async function probe(at: ListenAt): Promise<void> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port: at.port, host: at.address }, resolve);
    });
  } catch (error) {
    throw cannotListen(at, error);
  } finally {
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  }
}
