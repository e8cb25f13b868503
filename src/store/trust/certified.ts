import { constants, type KeyObject, type X509Certificate } from 'node:crypto';
import type { ConnectionOptions, TLSSocket, TlsOptions } from 'node:tls';
import { clusterOf, uriOf } from './authority.ts';
import { type Credentials, type Distrust, DistrustError, type Peer, TLS_OPTIONS } from './credentials.ts';
import { type Identity, idOf } from './identity.ts';

interface Options {
  readonly identity: Identity;
  readonly certificate: X509Certificate;
  /** The cluster's. */
  readonly authority: X509Certificate;
  /** Whether a node is not let in any more, whatever its certificate says. */
  readonly refused: (id: string) => boolean;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Credentials of a cluster with an authority: both sides show certificates, and TLS proves their keys. */
export class CertifiedCredentials implements Credentials {
  readonly cluster: string;
  readonly id: string;
  readonly #options: Options;
  readonly #tls: TlsOptions & ConnectionOptions;

  /** @throws Error where key, certificate and authority do not belong together */
  constructor(options: Options) {
    const { identity, certificate, authority } = options;
    this.cluster = clusterOf(authority);
    this.id = identity.id;
    this.#options = options;
    checkCertificate(certificate, {
      ...options,
      cluster: this.cluster,
      now: certificate.validFromDate.getTime(),
    });
    if (!certificate.checkPrivateKey(identity.privateKey))
      throw new Error('the key is not that of the certificate');
    this.#tls = {
      ...TLS_OPTIONS,
      key: identity.privateKey.export({ format: 'pem', type: 'pkcs8' }),
      cert: certificate.toString(),
      ca: authority.toString(),
      // Both ends look themselves, and say why.
      rejectUnauthorized: false,
      secureOptions: constants.SSL_OP_NO_TICKET,
    };
  }

  listening(): TlsOptions {
    return { ...this.#tls, requestCert: true };
  }

  dialing(): readonly ConnectionOptions[] {
    // No host name is certified, but an id.
    return [{ ...this.#tls, servername: '', checkServerIdentity: () => undefined }];
  }

  dialed(): void {}

  /** It ends when its certificate does. */
  accepts(): boolean {
    return true;
  }

  prefers(): boolean {
    return true;
  }

  introduce(): Record<string, never> {
    return {};
  }

  identify(socket: TLSSocket): Peer {
    const certificate = socket.getPeerX509Certificate();
    if (!certificate) throw new DistrustError('no-certificate');
    const { authority, refused, now } = this.#options;
    const peer = checkCertificate(certificate, { authority, cluster: this.cluster, refused, now: now() });
    // OpenSSL has looked at more than we have, such as critical extensions. And what is resumed shows no certificate.
    if (!socket.authorized || socket.isSessionReused())
      throw new DistrustError('untrusted', String(socket.authorizationError));
    return peer;
  }

  distrustOf(): undefined {
    return undefined;
  }
}

interface Check {
  readonly authority: X509Certificate;
  readonly cluster: string;
  readonly refused: (id: string) => boolean;
  readonly now: number;
}

/**
 * Whose certificate this is, and until when. That they have its key has to be shown otherwise.
 * @throws DistrustError
 */
export function checkCertificate(
  certificate: X509Certificate,
  { authority, cluster, refused, now }: Check,
): Peer & { readonly until: number } {
  const names = certificate.subjectAltName ?? '';
  const distrust = (why: Distrust): DistrustError =>
    new DistrustError(why, `${why}: certificate for ${names}`);
  const [, named] = /^URI:net-routed:\/\/([0-9a-f-]{36})\//.exec(names) ?? [];
  if (named !== undefined && named !== cluster) throw distrust('cluster');
  if (certificate.ca || !certificate.checkIssued(authority) || !certificate.verify(authority.publicKey))
    throw distrust('untrusted');
  if (now < certificate.validFromDate.getTime()) throw distrust('early');
  const until = certificate.validToDate.getTime();
  if (now > until) throw distrust('expired');
  const id = idIn(certificate.publicKey);
  if (id === undefined || names !== `URI:${uriOf(cluster, id)}`) throw distrust('identity');
  if (refused(id)) throw distrust('revoked');
  return { id, until };
}

function idIn(publicKey: KeyObject): string | undefined {
  return publicKey.asymmetricKeyType === 'ed25519' ? idOf(publicKey) : undefined;
}
