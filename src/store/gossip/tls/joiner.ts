import { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { CodedError, type ErrorCode } from '../../../errors.ts';
import { type Clock, wallOf } from '../../../ports/clock.ts';
import { checkCertificate } from '../../trust/certified.ts';
import { bindingOf, type Credentials, DistrustError, TLS_OPTIONS } from '../../trust/credentials.ts';
import type { Membership } from '../../trust/folder.ts';
import { type Identity, sign, spkiOf } from '../../trust/identity.ts';
import { hashOf, type JoinToken, ticketOf, tokenKey } from '../../trust/token.ts';
import { CONTROL, encodeControl, readControl } from '../wire/control.ts';
import type { Frame } from '../wire/splitter.ts';
import type { Channel } from './channel.ts';
import { CERTIFICATE_MAX } from './fields.ts';
import { RefusedError, refusalIn } from './introduce.ts';
import { JOIN_PURPOSE } from './issuer.ts';
import { JOINING } from './protocols.ts';
import { ask } from './talk.ts';

const TIMEOUT_MS = 10_000;

interface Options {
  readonly address: string;
  readonly port: number;
  readonly token: JoinToken;
  readonly identity: Identity;
  readonly clock: Clock;
}

/** How a node dials that has no certificate yet: whom to believe, the token tells once they are connected. */
const STRANGER: Pick<Credentials, 'dialing' | 'dialed' | 'distrustOf'> = {
  dialing: () => [
    { ...TLS_OPTIONS, servername: '', rejectUnauthorized: false, checkServerIdentity: () => undefined },
  ],
  dialed: () => {},
  distrustOf: () => undefined,
};

/** What a node has when it has joined: its certificate, and who has let it in. */
export interface Joined extends Membership {
  readonly sponsor: string;
}

/**
 * Gets a certificate for this node from a member of the token's cluster. Nothing of the token is said before the other
 * side has shown that it belongs to that cluster, and the secret itself never is. May be repeated with the same token.
 * @throws NR_TOKEN_REFUSED, NR_JOIN_UNTRUSTED, NR_JOIN_FAILED
 */
export async function joinCluster({ address, port, token, identity, clock }: Options): Promise<Joined> {
  const talk = { address, port, protocol: JOINING, ways: STRANGER, ms: TIMEOUT_MS, clock };
  try {
    return await ask(talk, (channel) => exchange(channel, token, identity, wallOf(clock)));
  } catch (error) {
    throw coded(error, `${address} port ${port}`);
  }
}

async function exchange(
  channel: Channel,
  token: JoinToken,
  identity: Identity,
  now: number,
): Promise<Joined> {
  const authority = certificateIn(await channel.next(), CONTROL.offer);
  const check = { authority, cluster: token.cluster, refused: () => false, now };
  const sponsor = believed(channel.socket, token, check);
  const key = spkiOf(identity.publicKey);
  const bound = [bindingOf(channel.socket), key];
  channel.send(
    encodeControl(CONTROL.ask, [
      Buffer.from(ticketOf(token).id, 'hex'),
      key,
      sign(tokenKey(token), JOIN_PURPOSE, ...bound),
      sign(identity.privateKey, JOIN_PURPOSE, ...bound),
    ]),
  );
  const answer = await channel.next();
  const refusal = refusalIn(answer);
  if (refusal) throw refusal;
  const certificate = certificateIn(answer, CONTROL.grant);
  if (checkCertificate(certificate, check).id !== identity.id) throw new DistrustError('identity');
  return { certificate, authority, sponsor };
}

/** The id of the member at the other end. @throws DistrustError for one that is not of the token's cluster */
function believed(
  socket: TLSSocket,
  token: JoinToken,
  check: Parameters<typeof checkCertificate>[1],
): string {
  if (!hashOf(check.authority).equals(token.authority))
    throw new DistrustError('cluster', 'it belongs to another cluster than the token');
  const certificate = socket.getPeerX509Certificate();
  if (!certificate) throw new DistrustError('no-certificate');
  return checkCertificate(certificate, check).id;
}

function certificateIn(frame: Frame, type: number): X509Certificate {
  const der = readControl(frame, type, (reader) => reader.bytes(CERTIFICATE_MAX));
  try {
    return new X509Certificate(der);
  } catch (error) {
    throw new DistrustError('untrusted', 'what it shows is no certificate', { cause: error });
  }
}

function coded(error: unknown, where: string): CodedError {
  const what = error instanceof Error ? error.message : String(error);
  const because = (code: ErrorCode, text: string, remedy?: string) =>
    new CodedError(code, `${where}: ${text}`, { cause: error, remedy });
  if (error instanceof DistrustError) return because('NR_JOIN_UNTRUSTED', what);
  if (error instanceof Error && 'syscall' in error && error.syscall === 'getaddrinfo')
    return because(
      'NR_JOIN_FAILED',
      `the name leads nowhere (${what})`,
      'give its address, or have the name resolve on this host (DNS, /etc/hosts)',
    );
  if (!(error instanceof RefusedError)) return because('NR_JOIN_FAILED', what);
  switch (error.reason) {
    case 'token-unknown':
      return because('NR_TOKEN_REFUSED', 'the cluster does not know the token');
    case 'token-expired':
      return because('NR_TOKEN_REFUSED', 'the token has expired');
    case 'token-spent':
      return because('NR_TOKEN_REFUSED', 'another host has used the token');
    case 'no-authority':
      // Names of others are told to nobody who has not shown a token of theirs.
      return because(
        'NR_JOIN_FAILED',
        'that host does not hold the key of the cluster',
        'join by the host that has printed the token, or another one with KEY in net-routed hosts there, with the same token',
      );
    default:
      return because('NR_JOIN_FAILED', what);
  }
}
