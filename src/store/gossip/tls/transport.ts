import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from 'node:tls';
import type { Clock } from '../../../ports/clock.ts';
import type { Log } from '../../../ports/log.ts';
import { type Credentials, DistrustError, type Peer } from '../../trust/credentials.ts';
import { type Connection, DialError, type Listener, type Transport } from '../transport.ts';
import { CONTROL_MAX } from '../wire/control.ts';
import { FAULTS, FrameError } from '../wire/error.ts';
import { Channel, ChannelError } from './channel.ts';
import { TlsConnection } from './connection.ts';
import { Gate, type Visit } from './gate.ts';
import { introduceAsDialer, introduceAsListener, RefusedError } from './introduce.ts';
import { LIMITS, type Limits } from './limits.ts';
import { GOSSIP, JOINING, RETURNING } from './protocols.ts';
import { open } from './talk.ts';
import { Tally } from './tally.ts';

interface Options {
  readonly credentials: Credentials;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits?: Partial<Limits>;
  /** Serves one who wants to join, until the promise ends. Absent: nobody joins here. */
  readonly join?: (channel: Channel) => Promise<void>;
  /** Serves a peer that wants to come back under another key, in the same way. */
  readonly readmit?: (channel: Channel, peer: Peer) => Promise<void>;
  /** Told of those that others opened and did not come about, or broke rules; `remote` is an address with a port. */
  readonly refused?: (reason: string, remote: string) => void;
}

/** Connections over TLS 1.3 between nodes that prove their ids. */
export class TlsTransport implements Transport {
  readonly id: string;
  /**
   * Connections that did not come about, or ended for what the other side sent, by reason; those of both directions.
   */
  readonly refused = new Tally();
  /** Connections that ended, by reason. */
  readonly closed = new Tally();
  /** Frames with messages, and their bytes before TLS. */
  readonly traffic = { sentFrames: 0, sentBytes: 0, receivedFrames: 0, receivedBytes: 0 };
  readonly #options: Options;
  readonly #limits: Limits;
  readonly #gate: Gate;
  readonly #listeners = new Map<Server, TlsServer>();
  readonly #connections = new Map<TlsConnection, Peer>();
  #credentials: Credentials;
  #connected: (connection: Connection) => void = (connection) => connection.close('unexpected');
  #skipped = 0;
  #ended = false;

  constructor(options: Options) {
    this.#options = options;
    this.#limits = { ...LIMITS, ...options.limits };
    this.#credentials = options.credentials;
    this.id = options.credentials.id;
    this.#gate = new Gate({
      limits: this.#limits,
      clock: options.clock,
      refused: (reason, remote) => this.#refuse(reason, remote),
    });
  }

  /** Frames of unknown types that were skipped. */
  get skipped(): number {
    return this.#skipped;
  }

  /** Connections that there are, and those whose other end is not known yet. */
  get open(): { readonly known: number; readonly pending: number } {
    return { known: this.#connections.size, pending: this.#gate.pending };
  }

  /**
   * Renewed credentials, or other secrets, for connections from now on. Those that were made with a secret which is no
   * longer accepted end, and those that are being made with one come to nothing. @throws Error for another node's
   */
  use(credentials: Credentials): void {
    if (credentials.id !== this.id) throw new Error('credentials of another node');
    this.#credentials = credentials;
    for (const tls of this.#listeners.values()) tls.setSecureContext(credentials.listening());
    for (const [connection, peer] of [...this.#connections])
      if (!credentials.accepts(peer)) connection.close('secret');
  }

  /** Whether a connection was made in another way than one would be made now. */
  isOutdated(connection: Connection): boolean {
    const peer = this.#connections.get(connection as TlsConnection);
    return peer !== undefined && !this.#credentials.prefers(peer);
  }

  onConnection(call: (connection: Connection) => void): void {
    this.#connected = call;
  }

  async listen(address: string | undefined, port: number): Promise<Listener> {
    const tls = createTlsServer({
      ...this.#credentials.listening(),
      // Asked each time, as the secrets may be others by then.
      ...(this.#credentials.listening().pskCallback && {
        pskCallback: (socket: TLSSocket, identity: string) =>
          this.#credentials.listening().pskCallback?.(socket, identity) ?? null,
      }),
      ALPNProtocols: [
        GOSSIP,
        ...(this.#options.join ? [JOINING] : []),
        ...(this.#options.readmit ? [RETURNING] : []),
      ],
      // The gate has a shorter one.
      handshakeTimeout: 2 * this.#limits.handshakeMs,
    });
    tls.on('tlsClientError', (error, socket) => {
      this.#gate.of(socket)?.blame(this.#credentials.distrustOf(error) ?? 'handshake');
      socket.destroy();
    });
    tls.on('secureConnection', (socket) => void this.#welcome(socket));
    const tcp = createTcpServer({ noDelay: true, keepAlive: true }, (socket) => this.#accept(socket, tls));
    await new Promise<void>((resolve, reject) => {
      tcp.once('error', reject);
      tcp.listen({ port, host: address }, () => {
        tcp.off('error', reject);
        resolve();
      });
    });
    tcp.on('error', (error) => this.#options.log.warn({ err: error }, 'a connection could not be accepted'));
    this.#listeners.set(tcp, tls);
    const bound = tcp.address() as { address: string; port: number };
    return { address: bound.address, port: bound.port, close: () => this.#unlisten(tcp) };
  }

  async dial(address: string, port: number, expectedId?: string): Promise<Connection> {
    const { clock } = this.#options;
    const credentials = this.#credentials;
    const ms = this.#limits.handshakeMs;
    const talk = { address, port, protocol: GOSSIP, ways: credentials, ms, clock };
    try {
      return await open(talk, async (channel) => {
        const peer = await introduceAsDialer(channel, credentials, expectedId);
        if (this.#ended) throw new DialError('closed', 'the transport was closed');
        return this.#connection(channel, peer, true);
      });
    } catch (error) {
      const reason = reasonOf(error, credentials);
      this.refused.add(reason);
      const what = error instanceof Error ? error.message : String(error);
      throw new DialError(reason, `${address} port ${port}: ${what}`, { cause: error });
    }
  }

  async close(): Promise<void> {
    this.#ended = true;
    this.#gate.close();
    const ended = [...this.#connections.keys()].map((connection) => {
      const closed = new Promise<void>((resolve) => connection.onClose(() => resolve()));
      connection.close('stopped');
      return closed;
    });
    await Promise.all([...ended, ...[...this.#listeners.keys()].map((tcp) => this.#unlisten(tcp))]);
  }

  async #unlisten(tcp: Server): Promise<void> {
    // Not waited for: it would wait for all connections. The port is free at once.
    tcp.close();
    this.#listeners.delete(tcp);
  }

  #accept(socket: Socket, tls: TlsServer): void {
    if (this.#gate.enter(socket)) tls.emit('connection', socket);
  }

  /** TLS has been agreed upon with somebody. */
  async #welcome(socket: TLSSocket): Promise<void> {
    const visit = this.#gate.of(socket);
    const channel = new Channel(socket, CONTROL_MAX, this.#options.clock.after);
    if (!visit) return channel.destroy('gone');
    try {
      if (socket.alpnProtocol === JOINING) return await this.#serveJoin(channel, visit);
      if (socket.alpnProtocol === RETURNING) return await this.#serveReturn(channel, visit);
      if (socket.alpnProtocol !== GOSSIP) throw new DialError('protocol', 'no protocol was chosen');
      const peer = await introduceAsListener(channel, this.#credentials, (peer) => this.#objection(peer));
      const connection = this.#connection(channel, peer, false);
      visit.pass();
      this.#connected(connection);
    } catch (error) {
      visit.blame(error instanceof RefusedError ? error.reason : reasonOf(error, this.#credentials));
      // Who is told why it was refused gets the time to read it.
      if (!(error instanceof DistrustError || error instanceof RefusedError)) channel.destroy('refused');
    }
  }

  async #serveJoin(channel: Channel, visit: Visit): Promise<void> {
    await this.#options.join?.(channel);
    visit.pass();
    channel.close('joined');
  }

  async #serveReturn(channel: Channel, visit: Visit): Promise<void> {
    const peer = await introduceAsListener(channel, this.#credentials, (peer) => this.#outlawed(peer));
    await this.#options.readmit?.(channel, peer);
    visit.pass();
    channel.close('readmitted');
  }

  /** Why a peer that is who it says may not come in all the same. */
  #objection(visitor: Peer): string | undefined {
    const outlawed = this.#outlawed(visitor);
    if (outlawed !== undefined) return outlawed;
    const { id } = visitor;
    const taken = [...this.#connections.keys()].filter(({ dialed }) => !dialed);
    if (taken.length >= this.#limits.connections) return 'full';
    return taken.filter(({ peer }) => peer === id).length < this.#limits.perPeer ? undefined : 'too-many';
  }

  /** The secret may have been removed while the other side took its time to say who it is. */
  #outlawed(peer: Peer): string | undefined {
    return this.#credentials.accepts(peer) ? undefined : 'secret';
  }

  #refuse(reason: string, remote: string): void {
    this.refused.add(reason);
    this.#options.log.debug({ reason, remote }, 'connection refused');
    this.#options.refused?.(reason, remote);
  }

  /** @throws DialError for one made with a secret that has been removed meanwhile */
  #connection(channel: Channel, peer: Peer, dialed: boolean): Connection {
    const outlawed = this.#outlawed(peer);
    if (outlawed !== undefined) throw new DialError(outlawed, 'its secret is no longer accepted');
    const { clock, log } = this.#options;
    const skipped = () => {
      this.#skipped += 1;
    };
    const { traffic } = this;
    const context = { self: this.id, peer, dialed, limits: this.#limits, clock, log, skipped, traffic };
    const connection = new TlsConnection(channel, context);
    this.#connections.set(connection, peer);
    connection.onClose((reason) => {
      this.#connections.delete(connection);
      this.closed.add(reason);
      if (WRONGS.includes(reason)) this.#refuse(reason, connection.remote);
    });
    return connection;
  }
}

/** Ends of a connection that the other side is to blame for: it says what no release of ours does, or nothing. */
const WRONGS = [...FAULTS, 'speechless', 'unhandled'];

const UNREACHABLE = ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT'];

function reasonOf(error: unknown, credentials: Credentials): string {
  if (error instanceof DistrustError) return error.distrust;
  if (error instanceof RefusedError) return 'refused';
  if (error instanceof DialError) return error.reason;
  if (error instanceof FrameError) return error.fault;
  if (error instanceof ChannelError) return FAULTS.includes(error.reason) ? error.reason : 'handshake';
  if (!(error instanceof Error)) return 'handshake';
  const unreachable = UNREACHABLE.includes((error as NodeJS.ErrnoException).code ?? '');
  return credentials.distrustOf(error) ?? (unreachable ? 'unreachable' : 'handshake');
}
