import type { X509Certificate } from 'node:crypto';
import { type Authority, issue } from '../../trust/authority.ts';
import { bindingOf } from '../../trust/credentials.ts';
import { idOf, verify } from '../../trust/identity.ts';
import { type Ticket, ticketKey } from '../../trust/token.ts';
import { CONTROL, encodeControl, readControl } from '../wire/control.ts';
import type { Frame } from '../wire/splitter.ts';
import type { Channel } from './channel.ts';
import { KEY_MAX, keyOf, SIGNATURE_MAX } from './fields.ts';
import { RefusedError, telling } from './introduce.ts';

const TICKET_ID_BYTES = 8;
/** What is signed with the token's key and the node's own: that this node asks, on this connection. */
export const JOIN_PURPOSE = 'join';

/** Where the cluster keeps what it knows of its tokens. */
export interface Tickets {
  find(id: string): Ticket | undefined;
  /**
   * Notes, durably, that the node has used the ticket. False when another one has; true again for the same one, whose
   * answer may have been lost.
   */
  spend(id: string, node: string): Promise<boolean>;
}

interface Options {
  /** Certificate of the cluster's authority. */
  readonly certificate: X509Certificate;
  /** With its key, on a host that holds it. */
  readonly authority: () => Authority | undefined;
  readonly tickets: Tickets;
  /** Whether this node is not let in any more. */
  readonly refused: (id: string) => boolean;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

interface Ask {
  readonly ticket: string;
  readonly key: Uint8Array;
  readonly byToken: Uint8Array;
  readonly byNode: Uint8Array;
}

/**
 * Gives a certificate to a node that has a token, and answers the node's id. Whoever is refused is told why.
 * @throws RefusedError, ChannelError, FrameError, and what the tickets throw
 */
export async function serveJoin(channel: Channel, options: Options): Promise<string> {
  channel.send(encodeControl(CONTROL.offer, [options.certificate.raw]));
  const ask = askIn(await channel.next());
  return await telling(channel, async () => {
    const { id, certificate } = await grant(channel, ask, options);
    channel.send(encodeControl(CONTROL.grant, [certificate.raw]));
    return id;
  });
}

async function grant(
  { socket }: Channel,
  { ticket, key, byToken, byNode }: Ask,
  { authority, tickets, refused, now }: Options,
): Promise<{ id: string; certificate: X509Certificate }> {
  const holder = authority();
  if (!holder) throw new RefusedError('no-authority');
  const known = tickets.find(ticket);
  if (!known) throw new RefusedError('token-unknown');
  if (now() > known.expires) throw new RefusedError('token-expired');
  const publicKey = keyOf(key);
  const bound = [bindingOf(socket), key];
  if (!verify(ticketKey(known), byToken, JOIN_PURPOSE, ...bound)) throw new RefusedError('proof');
  if (!verify(publicKey, byNode, JOIN_PURPOSE, ...bound)) throw new RefusedError('proof');
  const id = idOf(publicKey);
  if (refused(id)) throw new RefusedError('revoked');
  if (!(await tickets.spend(ticket, id))) throw new RefusedError('token-spent');
  return { id, certificate: await issue(holder, publicKey, now()) };
}

function askIn(frame: Frame): Ask {
  return readControl(frame, CONTROL.ask, (reader) => ({
    ticket: Buffer.from(reader.bytes(TICKET_ID_BYTES)).toString('hex'),
    key: reader.bytes(KEY_MAX),
    byToken: reader.bytes(SIGNATURE_MAX),
    byNode: reader.bytes(SIGNATURE_MAX),
  }));
}
