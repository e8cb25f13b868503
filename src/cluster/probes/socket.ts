import { createSocket, type Socket } from 'node:dgram';
import { isIPv4, isIPv6 } from 'node:net';
import type { Place } from '../../net/place.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { ListenAt } from '../links/listening.ts';

/** Pause before it is tried again, in milliseconds. */
const AGAIN_MS = 5000;

/** UDP on the cluster's port, both families at once where the host has both. It goes on trying to get the port. */
export class ProbeSocket {
  readonly #at: ListenAt;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #receive: (bytes: Buffer, from: Place) => void;
  #socket: Socket | undefined;
  #isV6 = false;
  #trouble: string | undefined;
  #cancel = () => {};
  #stopped = false;
  /** Packets that the system did not take: no way there, or a filter. */
  failures = 0;

  constructor(
    at: ListenAt,
    parts: { clock: Clock; log: Log; receive: (bytes: Buffer, from: Place) => void },
  ) {
    this.#at = at;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#receive = parts.receive;
  }

  /** Why it has no port. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Never throws. */
  async start(): Promise<void> {
    const { address, port } = this.#at;
    try {
      if (address !== undefined) await this.#bind(isIPv6(address), address, port);
      else await this.#bind(true, '::', port).catch((error) => this.#bindV4(error, port));
      this.#trouble = undefined;
    } catch (error) {
      if (this.#trouble === undefined)
        this.#log.warn({ err: error, ...this.#at }, 'cannot probe other hosts: no UDP port');
      const { code, message } = error as NodeJS.ErrnoException;
      this.#trouble = code === 'EADDRINUSE' ? 'another program has it' : message;
      if (!this.#stopped) this.#cancel = this.#clock.after(AGAIN_MS, () => void this.start());
    }
  }

  /** What cannot be sent now is lost, as on the way. Never throws, wherever it is to go; names are not looked up. */
  send(bytes: Buffer, { address, port }: Place): void {
    if (!this.#socket || !(isIPv4(address) || (this.#isV6 && isIPv6(address)))) return;
    const to = this.#isV6 && isIPv4(address) ? `::ffff:${address}` : address;
    try {
      this.#socket.send(bytes, port, to, (error) => {
        if (error) this.failures++;
      });
    } catch {
      this.failures++; // a port that is none
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
    this.#socket?.close();
    this.#socket = undefined;
  }

  /** On a host without IPv6. */
  #bindV4(error: NodeJS.ErrnoException, port: number): Promise<void> {
    if (error.code === 'EADDRINUSE') throw error;
    return this.#bind(false, '0.0.0.0', port);
  }

  async #bind(isV6: boolean, address: string, port: number): Promise<void> {
    const socket = createSocket({ type: isV6 ? 'udp6' : 'udp4' });
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        socket.bind({ port, address, exclusive: true }, resolve);
      });
    } catch (error) {
      socket.close();
      throw error;
    }
    if (this.#stopped) return void socket.close();
    socket.removeAllListeners('error');
    socket.on('error', (error) => this.#log.warn({ err: error }, 'the UDP port for probes has failed'));
    socket.on('message', (bytes, { address: from, port: its }) => {
      // From port 0 comes what nobody can answer.
      if (its !== 0) this.#receive(bytes, { address: from, port: its });
    });
    this.#socket = socket;
    this.#isV6 = isV6;
  }
}
