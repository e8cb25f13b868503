import { createPrivateKey, X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { type Authority, authorityOf, clusterOf, issue } from './authority.ts';
import { checkCertificate } from './certified.ts';
import { DistrustError } from './credentials.ts';
import { type Identity, idOf, parseSpki, spkiOf } from './identity.ts';

/** Bodies of requests between members about certificates; bytes are in base64. */
const renewalSchema = z.object({ key: z.string().max(64) });
const certificateSchema = z.object({ certificate: z.string().max(2048) });
const authoritySchema = z.object({ certificate: z.string().max(2048), key: z.string().max(256) });

type Renewal = z.infer<typeof renewalSchema>;
type Renewed = z.infer<typeof certificateSchema>;
type HandedOver = z.infer<typeof authoritySchema>;

/** What a member asks one that holds the cluster's key. */
export function askRenewal({ publicKey }: Identity): Renewal {
  return { key: base64(spkiOf(publicKey)) };
}

/**
 * The answer to the member at the other end of a connection: a certificate for its own key and for no other.
 * @throws DistrustError for another's key, ZodError or Error for what is no request
 */
export async function answerRenewal(
  authority: Authority,
  peer: string,
  body: unknown,
  now: number,
): Promise<Renewed> {
  const publicKey = parseSpki(Buffer.from(renewalSchema.parse(body).key, 'base64'));
  if (idOf(publicKey) !== peer) throw new DistrustError('identity', `${peer} asks for another's certificate`);
  return { certificate: base64((await issue(authority, publicKey, now)).raw) };
}

/** The certificate that was answered. @throws DistrustError, ZodError or Error for one that is of no use to us */
export function readRenewal(
  body: unknown,
  { id }: Identity,
  authority: X509Certificate,
  now: number,
): X509Certificate {
  const certificate = new X509Certificate(Buffer.from(certificateSchema.parse(body).certificate, 'base64'));
  const check = { authority, cluster: clusterOf(authority), refused: () => false, now };
  if (checkCertificate(certificate, check).id !== id) throw new DistrustError('identity');
  return certificate;
}

/** The cluster's key, for a member that shall hold it as well. Only ever the answer to it, on its own connection. */
export function handOver({ certificate, privateKey }: Authority): HandedOver {
  return {
    certificate: base64(certificate.raw),
    key: base64(privateKey.export({ format: 'der', type: 'pkcs8' })),
  };
}

/**
 * The cluster's key as it was handed over, if it is that of the cluster that we are in.
 * @throws DistrustError, ZodError or Error for anything else
 */
export function takeOver(body: unknown, authority: X509Certificate): Authority {
  const { certificate, key } = authoritySchema.parse(body);
  const theirs = new X509Certificate(Buffer.from(certificate, 'base64'));
  if (!theirs.raw.equals(authority.raw))
    throw new DistrustError('cluster', 'this is the key of another cluster');
  return authorityOf(
    theirs,
    createPrivateKey({ key: Buffer.from(key, 'base64'), format: 'der', type: 'pkcs8' }),
  );
}

function base64(bytes: Buffer): string {
  return bytes.toString('base64');
}
