import type { ConnectionOptions, TLSSocket, TlsOptions } from 'node:tls';
import {
  bindingOf,
  type Credentials,
  type Distrust,
  DistrustError,
  type Introduction,
  type Peer,
  type Role,
  TLS_OPTIONS,
} from './credentials.ts';
import { type Identity, idOf, parseSpki, sign, spkiOf, verify } from './identity.ts';
import { type ClusterSecret, presharedKey, secretName } from './secret.ts';
import { uuidBytes } from './text.ts';

/** External pre-shared keys are used with SHA-256 (RFC 8446, 4.2.11). */
const CIPHER = 'TLS_AES_128_GCM_SHA256';
/** How OpenSSL says that the other side's secret is another one, or that it has none; first at the listener. */
const REFUSALS = [
  'ERR_SSL_BINDER_DOES_NOT_VERIFY',
  'ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM',
  'ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR',
  'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE',
];

/** By which secret a connection is made. The credentials may be others by the time that it is known whose it is. */
const names = new WeakMap<TLSSocket, string>();

interface Options {
  readonly identity: Identity;
  /** All are taken from others; with the first one we dial. Two while a new one is brought in. */
  readonly secrets: readonly [ClusterSecret, ...ClusterSecret[]];
  readonly refused: (id: string) => boolean;
}

/**
 * Credentials of a cluster whose nodes share a secret. TLS proves the secret to both sides; each signs what only this
 * connection has, with the key of its id.
 */
export class SharedCredentials implements Credentials {
  readonly cluster: string;
  readonly id: string;
  readonly #identity: Identity;
  readonly #refused: (id: string) => boolean;
  readonly #keys;

  /** @throws Error for secrets of several clusters */
  constructor({ identity, secrets, refused }: Options) {
    this.cluster = secrets[0].cluster;
    if (secrets.some(({ cluster }) => cluster !== this.cluster))
      throw new Error('secrets of several clusters');
    this.id = identity.id;
    this.#identity = identity;
    this.#refused = refused;
    this.#keys = secrets.map(presharedKey);
  }

  get secrets(): readonly string[] {
    return this.#keys.map(secretName);
  }

  listening(): TlsOptions {
    return {
      ...TLS_OPTIONS,
      ciphers: CIPHER,
      pskCallback: (socket, identity) => {
        names.set(socket, identity);
        return this.#keys.find((one) => one.identity === identity)?.key ?? null;
      },
    };
  }

  dialing(): readonly ConnectionOptions[] {
    return this.#keys.map(({ identity, key }) => ({
      ...TLS_OPTIONS,
      ciphers: CIPHER,
      servername: '',
      pskCallback: () => ({ psk: key, identity }),
      // Asked only about one that shows a certificate instead, and no certificate is good here.
      ca: [],
      rejectUnauthorized: true,
      checkServerIdentity: () => new DistrustError('secret'),
    }));
  }

  dialed(socket: TLSSocket, at: number): void {
    names.set(socket, this.#keys[at]!.identity);
  }

  accepts({ secret }: Peer): boolean {
    return this.#keys.some(({ identity }) => identity === secret);
  }

  prefers({ secret }: Peer): boolean {
    return this.#keys[0]?.identity === secret;
  }

  introduce(socket: TLSSocket, role: Role): Introduction {
    const { publicKey, privateKey } = this.#identity;
    return { key: spkiOf(publicKey), signature: sign(privateKey, `link as ${role}`, ...this.#bound(socket)) };
  }

  identify(socket: TLSSocket, role: Role, { key, signature }: Introduction): Peer {
    // A handshake with a pre-shared key counts as resumed, and shows no certificate.
    if (!socket.isSessionReused() || socket.getPeerX509Certificate()) throw new DistrustError('secret');
    if (!key || !signature) throw new DistrustError('proof', 'the introduction lacks key or signature');
    const publicKey = keyFrom(key);
    if (!verify(publicKey, signature, `link as ${role}`, ...this.#bound(socket)))
      throw new DistrustError('proof');
    const id = idOf(publicKey);
    if (this.#refused(id)) throw new DistrustError('revoked');
    return { id, secret: names.get(socket) };
  }

  distrustOf(error: Error): Distrust | undefined {
    if (error instanceof DistrustError) return error.distrust;
    return REFUSALS.includes((error as NodeJS.ErrnoException).code ?? '') ? 'secret' : undefined;
  }

  #bound(socket: TLSSocket): Uint8Array[] {
    return [uuidBytes(this.cluster), bindingOf(socket)];
  }
}

function keyFrom(spki: Uint8Array) {
  try {
    return parseSpki(spki);
  } catch {
    throw new DistrustError('proof', 'the key of the introduction is not Ed25519');
  }
}
