/** A cluster for tests: its authority and secret, members that listen on this machine, and strangers. */
import type { X509Certificate } from 'node:crypto';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import type { Message } from '../../../../../src/store/gossip/messages.ts';
import { Channel } from '../../../../../src/store/gossip/tls/channel.ts';
import type { Limits } from '../../../../../src/store/gossip/tls/limits.ts';
import { GOSSIP } from '../../../../../src/store/gossip/tls/protocols.ts';
import { secured } from '../../../../../src/store/gossip/tls/secured.ts';
import { TlsTransport } from '../../../../../src/store/gossip/tls/transport.ts';
import type { Connection } from '../../../../../src/store/gossip/transport.ts';
import { CONTROL, CONTROL_MAX, encodeControl } from '../../../../../src/store/gossip/wire/control.ts';
import { type Authority, createAuthority, issue } from '../../../../../src/store/trust/authority.ts';
import { CertifiedCredentials } from '../../../../../src/store/trust/certified.ts';
import type { Credentials, Introduction, Peer } from '../../../../../src/store/trust/credentials.ts';
import { createIdentity, type Identity } from '../../../../../src/store/trust/identity.ts';
import type { ClusterSecret } from '../../../../../src/store/trust/secret.ts';
import { SharedCredentials } from '../../../../../src/store/trust/shared.ts';
import { ManualClock } from '../../manualclock.ts';

export const CLUSTER = '0f3b2c1a-0000-4000-8000-1234567890ab';
export const OTHER_CLUSTER = '0f3b2c1a-0000-4000-8000-1234567890ac';
export const HERE = '127.0.0.1';

/** A member that listens, with all that others have opened to it and said. */
export interface Member {
  readonly transport: TlsTransport;
  readonly port: number;
  readonly connections: Connection[];
  readonly messages: Message[];
  readonly logged: object[];
}

export class World {
  readonly clock = new ManualClock();
  /** Ids that no member lets in. */
  readonly gone = new Set<string>();
  readonly #cleanups: (() => unknown)[] = [];
  #authority: Promise<Authority> | undefined;

  authority(): Promise<Authority> {
    this.#authority ??= createAuthority(CLUSTER, this.clock.now());
    return this.#authority;
  }

  async certified(
    identity: Identity = createIdentity(),
    { authority, certificate }: { authority?: Authority; certificate?: X509Certificate } = {},
  ): Promise<CertifiedCredentials> {
    const by = authority ?? (await this.authority());
    return new CertifiedCredentials({
      identity,
      certificate: certificate ?? (await issue(by, identity.publicKey, this.clock.now())),
      authority: by.certificate,
      refused: (id) => this.gone.has(id),
      now: () => this.clock.now(),
    });
  }

  shared(
    secrets: readonly [ClusterSecret, ...ClusterSecret[]],
    identity = createIdentity(),
  ): SharedCredentials {
    return new SharedCredentials({ identity, secrets, refused: (id) => this.gone.has(id) });
  }

  transport(
    credentials: Credentials,
    {
      limits = {},
      join,
      readmit,
    }: {
      limits?: Partial<Limits>;
      join?: (channel: Channel) => Promise<void>;
      readmit?: (channel: Channel, peer: Peer) => Promise<void>;
    } = {},
    logged: object[] = [],
  ): TlsTransport {
    const note = (context: object) => void logged.push(context);
    const log = { debug: () => {}, info: note, warn: note, error: note };
    const transport = new TlsTransport({
      credentials,
      clock: this.clock,
      log,
      limits,
      ...(join && { join }),
      ...(readmit && { readmit }),
    });
    this.cleanUp(() => transport.close());
    return transport;
  }

  async member(credentials?: Credentials, options: Parameters<World['transport']>[1] = {}): Promise<Member> {
    const logged: object[] = [];
    const transport = this.transport(credentials ?? (await this.certified()), options, logged);
    const member: Member = { transport, port: 0, connections: [], messages: [], logged };
    transport.onConnection((connection) => {
      member.connections.push(connection);
      connection.onMessage((message) => void member.messages.push(message));
    });
    const { port } = await transport.listen(HERE, 0);
    return Object.assign(member, { port });
  }

  /** A plain connection to a port; what is received goes nowhere. */
  async plain(port: number): Promise<Socket> {
    const { createConnection } = await import('node:net');
    const socket = createConnection(port, HERE);
    socket.on('error', () => {}).resume();
    this.cleanUp(() => socket.destroy());
    await new Promise<void>((resolve) => void socket.once('connect', resolve));
    return socket;
  }

  /** A connection of TLS that has said nothing yet. */
  async tls(port: number, options: ConnectionOptions): Promise<TLSSocket> {
    const socket = connect({ host: HERE, port, ALPNProtocols: [GOSSIP], ...options });
    this.cleanUp(() => socket.destroy());
    await secured(socket);
    return socket;
  }

  /** One that is let in, and may say what no transport of ours would. */
  async raw(port: number, credentials: Credentials, introduction?: Introduction): Promise<Channel> {
    const socket = await this.tls(port, credentials.dialing()[0]!);
    const { key, signature } = introduction ?? credentials.introduce(socket, 'dialer');
    const channel = new Channel(socket, CONTROL_MAX, this.clock.after);
    channel.send(encodeControl(CONTROL.introduction, key ? [key, signature] : []));
    return channel;
  }

  /** A port of somebody else. */
  async listener(take: (socket: Socket) => void): Promise<number> {
    const server = createServer(take);
    this.cleanUp(() => void server.close());
    await new Promise<void>((resolve) => void server.listen(0, HERE, resolve));
    return (server.address() as AddressInfo).port;
  }

  cleanUp(call: () => unknown): void {
    this.#cleanups.push(call);
  }

  async end(): Promise<void> {
    for (const call of this.#cleanups.splice(0).reverse()) await call();
  }
}

/** Waits for what other ends do. Gives up in the end, so that a test that fails leaves nothing running. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 15_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`in vain: ${condition}`);
    await new Promise((resolve) => void setTimeout(resolve, 1));
  }
}

export function closed(connection: Connection): Promise<string> {
  return new Promise((resolve) => connection.onClose(resolve));
}
