import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { CodedError } from '../../errors.ts';
import { type Authority, authorityOf } from './authority.ts';
import { readPrivate, removePrivate, writePrivate } from './files.ts';
import { createIdentity, type Identity, identityOf } from './identity.ts';
import { type ClusterSecret, parseSecret, secretText } from './secret.ts';

const NODE_KEY = 'node.key';
const NODE_CERTIFICATE = 'node.crt';
const CLUSTER_CERTIFICATE = 'cluster.crt';
const CLUSTER_KEY = 'cluster.key';
const SECRETS = 'cluster.secret';

/** A node's certificate with that of who made it. */
export interface Membership {
  readonly certificate: X509Certificate;
  readonly authority: X509Certificate;
}

/** Keys, certificates and secrets of this host, in files of a folder of its own. */
export class TrustFolder {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** The node's key, drawn when there is none. @throws NR_TRUST_FAILED */
  identity(): Identity {
    return this.#guarded(NODE_KEY, () => {
      const kept = readPrivate(this.#path, NODE_KEY);
      return kept === undefined ? this.renewIdentity() : identityOf(createPrivateKey(kept));
    });
  }

  /** A new identity instead of the old one, whose certificate goes with it. @throws NR_TRUST_FAILED */
  renewIdentity(): Identity {
    return this.#guarded(NODE_KEY, () => {
      const identity = createIdentity();
      removePrivate(this.#path, NODE_CERTIFICATE);
      writePrivate(this.#path, NODE_KEY, pem(identity.privateKey));
      return identity;
    });
  }

  /** Undefined for a host that is in no cluster, or in one without authority. @throws NR_TRUST_FAILED */
  membership(): Membership | undefined {
    return this.#guarded(NODE_CERTIFICATE, () => {
      const certificate = readPrivate(this.#path, NODE_CERTIFICATE);
      const authority = readPrivate(this.#path, CLUSTER_CERTIFICATE);
      if (certificate === undefined || authority === undefined) return undefined;
      return { certificate: new X509Certificate(certificate), authority: new X509Certificate(authority) };
    });
  }

  /** @throws NR_TRUST_FAILED */
  keepMembership({ certificate, authority }: Membership): void {
    this.#guarded(NODE_CERTIFICATE, () => {
      // The node's is what counts, and so it is written last.
      writePrivate(this.#path, CLUSTER_CERTIFICATE, authority.toString());
      writePrivate(this.#path, NODE_CERTIFICATE, certificate.toString());
    });
  }

  /** The cluster's authority, on those hosts that hold its key. @throws NR_TRUST_FAILED */
  authority(): Authority | undefined {
    return this.#guarded(CLUSTER_KEY, () => {
      const certificate = readPrivate(this.#path, CLUSTER_CERTIFICATE);
      const key = readPrivate(this.#path, CLUSTER_KEY);
      if (certificate === undefined || key === undefined) return undefined;
      return authorityOf(new X509Certificate(certificate), createPrivateKey(key));
    });
  }

  /** @throws NR_TRUST_FAILED */
  keepAuthority({ certificate, privateKey }: Authority): void {
    this.#guarded(CLUSTER_KEY, () => {
      writePrivate(this.#path, CLUSTER_CERTIFICATE, certificate.toString());
      writePrivate(this.#path, CLUSTER_KEY, pem(privateKey));
    });
  }

  /** This host holds the cluster's key no more. @throws NR_TRUST_FAILED */
  dropAuthority(): void {
    this.#guarded(CLUSTER_KEY, () => removePrivate(this.#path, CLUSTER_KEY));
  }

  /** The secrets of a cluster without authority, the one to dial with first; empty for none. @throws NR_TRUST_FAILED */
  secrets(): ClusterSecret[] {
    return this.#guarded(SECRETS, () => {
      const lines = readPrivate(this.#path, SECRETS)?.split('\n') ?? [];
      return lines.filter((line) => line !== '').map(parseSecret);
    });
  }

  /** @throws NR_TRUST_FAILED */
  keepSecrets(secrets: readonly ClusterSecret[]): void {
    this.#guarded(SECRETS, () => {
      writePrivate(this.#path, SECRETS, secrets.map((secret) => `${secretText(secret)}\n`).join(''));
    });
  }

  #guarded<T>(name: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (error instanceof CodedError && error.code === 'NR_TRUST_FAILED') throw error;
      const why = error instanceof CodedError ? error.what : error instanceof Error ? error.message : error;
      throw new CodedError('NR_TRUST_FAILED', `${this.#path}/${name}: ${why}`, { cause: error });
    }
  }
}

function pem(key: KeyObject): string {
  return key.export({ format: 'pem', type: 'pkcs8' }) as string;
}
