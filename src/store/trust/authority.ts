import { createPublicKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { idOf } from './identity.ts';
import { makeCertificate } from './x509.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
/** How long a node's certificate is good for, from when it is made. */
export const LIFE_MS = 90 * DAY_MS;
/** Certificates begin so long before they are made: a node whose clock is behind by less than that takes them. */
export const EARLIER_MS = DAY_MS;

/** The cluster's own certificate authority, as those who hold its key have it. */
export interface Authority {
  readonly cluster: string;
  readonly certificate: X509Certificate;
  readonly privateKey: KeyObject;
}

/** What a certificate of the cluster says it is for: the cluster itself, or one of its nodes. */
export function uriOf(cluster: string, id?: string): string {
  return `net-routed://${cluster}${id === undefined ? '' : `/${id}`}`;
}

/** The authority of a new cluster. `cluster` is its UUID, `now` in milliseconds since 1970. */
export async function createAuthority(cluster: string, now: number): Promise<Authority> {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const der = await makeCertificate(
    {
      issuer: nameOf(cluster),
      subject: nameOf(cluster),
      publicKey,
      issuerKey: publicKey,
      uri: uriOf(cluster),
      from: now - EARLIER_MS,
      authority: true,
    },
    privateKey,
  );
  return { cluster, certificate: new X509Certificate(der), privateKey };
}

/** The authority from its certificate and key, as they were kept. @throws Error when they do not belong together */
export function authorityOf(certificate: X509Certificate, privateKey: KeyObject): Authority {
  if (!certificate.checkPrivateKey(privateKey)) throw new Error('the key is not that of the certificate');
  return { cluster: clusterOf(certificate), certificate, privateKey };
}

/** The cluster whose authority this is. @throws Error for what is no certificate of a cluster's authority */
export function clusterOf(authority: X509Certificate): string {
  const [, cluster] = /^URI:net-routed:\/\/([0-9a-f-]{36})$/.exec(authority.subjectAltName ?? '') ?? [];
  if (cluster === undefined || !authority.ca || !authority.verify(authority.publicKey))
    throw new Error('this is not the certificate of a cluster');
  return cluster;
}

/** A certificate for the node that has this key. `now` and `lifeMs` in milliseconds. */
export async function issue(
  { cluster, certificate, privateKey }: Authority,
  publicKey: KeyObject,
  now: number,
  lifeMs = LIFE_MS,
): Promise<X509Certificate> {
  const id = idOf(publicKey);
  const der = await makeCertificate(
    {
      issuer: nameOf(cluster),
      subject: id,
      publicKey,
      issuerKey: createPublicKey(privateKey),
      uri: uriOf(cluster, id),
      from: now - EARLIER_MS,
      until: now + lifeMs,
      authority: false,
    },
    privateKey,
  );
  const made = new X509Certificate(der);
  // What could not be verified would only be noticed when everybody refuses it.
  if (!made.verify(certificate.publicKey)) throw new Error('the certificate does not verify');
  return made;
}

function nameOf(cluster: string): string {
  return `net-routed ${cluster}`;
}
