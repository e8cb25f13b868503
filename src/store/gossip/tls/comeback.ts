import { X509Certificate } from 'node:crypto';
import { type Clock, wallOf } from '../../../ports/clock.ts';
import { checkCertificate } from '../../trust/certified.ts';
import { bindingOf, type Credentials, DistrustError } from '../../trust/credentials.ts';
import { type Identity, sign, spkiOf } from '../../trust/identity.ts';
import { CONTROL, encodeControl, readControl } from '../wire/control.ts';
import { type Channel, ChannelError } from './channel.ts';
import { CERTIFICATE_MAX } from './fields.ts';
import { introduceAsDialer, refusalIn } from './introduce.ts';
import { RETURNING } from './protocols.ts';
import { RETURN_PURPOSE } from './readmit.ts';
import { ask } from './talk.ts';

const TIMEOUT_MS = 5000;

interface Options {
  readonly address: string;
  readonly port: number;
  /** Of the node that the cluster has forgotten. */
  readonly credentials: Credentials;
  readonly old: Identity;
  /** Who it is to be. */
  readonly anew: Identity;
  /** The cluster's, if it has one. */
  readonly authority: X509Certificate | undefined;
  /** It needs a certificate: there is an authority, and it does not hold that one's key itself. */
  readonly needs: boolean;
  readonly clock: Clock;
}

/** That a node may come back, and by whom. */
export interface Readmitted {
  /** Undefined where it needs none, or has to make it itself. */
  readonly certificate: X509Certificate | undefined;
  /** Id of the member that says so. */
  readonly sponsor: string;
}

/**
 * Asks a member to let this node, which the cluster has forgotten, come back under another key. May be repeated with the
 * same one.
 * @throws RefusedError with the reason of Unwelcome, `no-authority` or a Distrust; DistrustError, DialError `timeout`,
 * ChannelError, FrameError, and what the socket fails with
 */
export async function comeBack(options: Options): Promise<Readmitted> {
  const { address, port, credentials, clock } = options;
  const talk = { address, port, protocol: RETURNING, ways: credentials, ms: TIMEOUT_MS, clock };
  return await ask(talk, (channel) => {
    // An older release says nothing to those whose protocol it does not know.
    if (channel.socket.alpnProtocol !== RETURNING) throw new ChannelError('protocol');
    return exchange(channel, options);
  });
}

async function exchange(
  channel: Channel,
  { credentials, old, anew, authority, needs, clock }: Options,
): Promise<Readmitted> {
  const { id: sponsor } = await introduceAsDialer(channel, credentials);
  const key = spkiOf(anew.publicKey);
  const bound = [bindingOf(channel.socket), key];
  channel.send(
    encodeControl(CONTROL.again, [
      spkiOf(old.publicKey),
      key,
      sign(old.privateKey, RETURN_PURPOSE, ...bound),
      sign(anew.privateKey, RETURN_PURPOSE, ...bound),
      needs ? 1 : 0,
    ]),
  );
  const answer = await channel.next();
  const refusal = refusalIn(answer);
  if (refusal) throw refusal;
  const der = readControl(answer, CONTROL.grant, (reader) => reader.bytes(CERTIFICATE_MAX));
  if (!authority || (der.length === 0 && !needs)) return { certificate: undefined, sponsor };
  const certificate = new X509Certificate(der);
  const check = { authority, cluster: credentials.cluster, refused: () => false, now: wallOf(clock) };
  if (checkCertificate(certificate, check).id !== anew.id) throw new DistrustError('identity');
  return { certificate, sponsor };
}
