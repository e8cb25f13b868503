import type { ConnectionOptions, TLSSocket, TlsOptions } from 'node:tls';

/** Who opened the connection, and who took it. */
export type Role = 'dialer' | 'listener';

/**
 * Why somebody is not let in. `no-certificate`; `untrusted`: not the cluster's authority says who it is; `early`,
 * `expired`: the certificate is good at another time; `cluster`: it is another cluster's; `identity`: the key is not
 * the one of the id; `revoked`; `secret`: it does not know the cluster's secret; `proof`: it has not shown that it has
 * the key of its id.
 */
export type Distrust =
  | 'no-certificate'
  | 'untrusted'
  | 'early'
  | 'expired'
  | 'cluster'
  | 'identity'
  | 'revoked'
  | 'secret'
  | 'proof';

export class DistrustError extends Error {
  override readonly name = 'DistrustError';
  readonly distrust: Distrust;

  constructor(distrust: Distrust, message: string = distrust, options?: ErrorOptions) {
    super(message, options);
    this.distrust = distrust;
  }
}

/** What each side says first on a connection that TLS has made, where TLS itself does not prove the id. */
export interface Introduction {
  /** SubjectPublicKeyInfo. */
  readonly key?: Uint8Array | undefined;
  /** By that key, of what only this connection has. */
  readonly signature?: Uint8Array | undefined;
}

/** Who is at the other end, and until when that was said, in milliseconds since 1970. */
export interface Peer {
  readonly id: string;
  readonly until?: number | undefined;
  /** Name of the secret that the connection was made with, where there are secrets. */
  readonly secret?: string | undefined;
}

/** How a node shows who it is, and knows who others are. Immutable: a renewed certificate makes new ones. */
export interface Credentials {
  readonly cluster: string;
  readonly id: string;
  /** Names of the secrets that are accepted, where there are secrets; first of the one that is dialled with. */
  readonly secrets?: readonly string[];
  /** For the side that listens. */
  listening(): TlsOptions;
  /** For the side that dials; the next one where the other side has refused the secret of the one before. */
  dialing(): readonly ConnectionOptions[];
  /** This socket was made with that one of `dialing`. */
  dialed(socket: TLSSocket, at: number): void;
  /** Whether a connection that was made with earlier credentials may go on. */
  accepts(peer: Peer): boolean;
  /** Whether one that is made now would be made in the same way. */
  prefers(peer: Peer): boolean;
  /** What to say first, in that role. */
  introduce(socket: TLSSocket, role: Role): Introduction;
  /** Who it is that introduced itself, in its role. @throws DistrustError */
  identify(socket: TLSSocket, role: Role, introduction: Introduction): Peer;
  /** What a handshake that failed with this error says about the other side, if that can be told. */
  distrustOf(error: Error): Distrust | undefined;
}

/** Both ends speak TLS 1.3 with X25519. Nothing is resumed: each connection is checked anew. */
export const TLS_OPTIONS = { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3', ecdhCurve: 'X25519' } as const;

/** 32 bytes that only the two ends of this connection have (RFC 8446, 7.5), whatever is between them. */
export function bindingOf(socket: TLSSocket): Buffer {
  return socket.exportKeyingMaterial(32, 'EXPERIMENTAL-net-routed', Buffer.alloc(0));
}
