import { createHash, type KeyObject, randomBytes, sign } from 'node:crypto';
import { spkiOf } from './identity.ts';

/** What is in a certificate. */
export interface Certificate {
  /** Common names of who signs and whom it is for. */
  readonly issuer: string;
  readonly subject: string;
  readonly publicKey: KeyObject;
  /** Of the one who signs. */
  readonly issuerKey: KeyObject;
  /** URI, the only name that is looked at. */
  readonly uri: string;
  /** In milliseconds since 1970; without `until` it has no end (RFC 5280, 4.1.2.5). */
  readonly from: number;
  readonly until?: number | undefined;
  /** It may sign certificates, of nodes only. */
  readonly authority: boolean;
}

const OID = {
  ed25519: '1.3.101.112',
  commonName: '2.5.4.3',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const;
/** Bits of keyUsage, as a byte: keyCertSign; digitalSignature. */
const KEY_CERT_SIGN = 0x04;
const DIGITAL_SIGNATURE = 0x80;
/** RFC 5280, 4.1.2.5: there is no end. */
const FOR_EVER = Date.UTC(9999, 11, 31, 23, 59, 59);
/** From this year on times are written as GeneralizedTime. */
const GENERALIZED = 2050;

/**
 * Makes an Ed25519 certificate (RFC 5280, RFC 8410) as DER. The library that writes ASN.1 is loaded when this is called:
 * only who makes or renews certificates needs it, and it takes 6 MiB.
 */
export async function makeCertificate(of: Certificate, signer: KeyObject): Promise<Buffer> {
  const asn1 = await import('asn1js');
  const sequence = (...value: object[]) => new asn1.Sequence({ value: value as never });
  const oid = (value: string) => new asn1.ObjectIdentifier({ value });
  const octets = (value: Uint8Array) => new asn1.OctetString({ valueHex: plain(value) });
  const der = (block: { toBER(): ArrayBuffer }) => new Uint8Array(block.toBER());
  const name = (text: string) =>
    sequence(new asn1.Set({ value: [sequence(oid(OID.commonName), new asn1.Utf8String({ value: text }))] }));
  const time = (ms: number) => {
    const valueDate = new Date(Math.floor(ms / 1000) * 1000);
    return valueDate.getUTCFullYear() < GENERALIZED
      ? new asn1.UTCTime({ valueDate })
      : new asn1.GeneralizedTime({ valueDate });
  };
  const tagged = (tagNumber: number, value: Uint8Array) =>
    new asn1.Primitive({ idBlock: { tagClass: 3, tagNumber }, valueHex: plain(value) });
  const extension = (id: string, critical: boolean, value: { toBER(): ArrayBuffer }) =>
    sequence(oid(id), ...(critical ? [new asn1.Boolean({ value: true })] : []), octets(der(value)));
  const usage = of.authority ? KEY_CERT_SIGN : DIGITAL_SIGNATURE;
  const extensions = [
    extension(
      OID.basicConstraints,
      true,
      of.authority ? sequence(new asn1.Boolean({ value: true }), new asn1.Integer({ value: 0 })) : sequence(),
    ),
    extension(
      OID.keyUsage,
      true,
      new asn1.BitString({ valueHex: plain(Uint8Array.of(usage)), unusedBits: Math.log2(usage & -usage) }),
    ),
    ...(of.authority
      ? []
      : [extension(OID.extKeyUsage, false, sequence(oid(OID.serverAuth), oid(OID.clientAuth)))]),
    extension(OID.subjectAltName, false, sequence(tagged(6, Buffer.from(of.uri)))),
    extension(OID.subjectKeyIdentifier, false, octets(keyIdentifier(of.publicKey))),
    extension(OID.authorityKeyIdentifier, false, sequence(tagged(0, keyIdentifier(of.issuerKey)))),
  ];
  const spki = asn1.fromBER(plain(spkiOf(of.publicKey))).result;
  const algorithm = sequence(oid(OID.ed25519));
  const explicit = (tagNumber: number, value: object) =>
    new asn1.Constructed({ idBlock: { tagClass: 3, tagNumber }, value: [value as never] });
  const serial = randomBytes(16);
  serial[0] = 0x40 | (serial[0]! & 0x3f); // positive, and of full length
  const body = sequence(
    explicit(0, new asn1.Integer({ value: 2 })),
    new asn1.Integer({ valueHex: plain(serial) }),
    algorithm,
    name(of.issuer),
    sequence(time(of.from), time(of.until ?? FOR_EVER)),
    name(of.subject),
    spki,
    explicit(3, sequence(...extensions)),
  );
  const signature = sign(null, der(body), signer);
  return Buffer.from(der(sequence(body, algorithm, new asn1.BitString({ valueHex: plain(signature) }))));
}

/** RFC 7093, 2: the leftmost 160 bits of the key's SHA-256. */
function keyIdentifier(publicKey: KeyObject): Uint8Array {
  return createHash('sha256').update(spkiOf(publicKey)).digest().subarray(0, 20);
}

/** A copy whose buffer holds nothing else, as the library wants it. */
function plain(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}
