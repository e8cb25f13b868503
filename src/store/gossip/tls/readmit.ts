import type { X509Certificate } from 'node:crypto';
import { type Authority, issue } from '../../trust/authority.ts';
import { bindingOf, type Peer } from '../../trust/credentials.ts';
import { idOf, verify } from '../../trust/identity.ts';
import { CONTROL, encodeControl, readControl } from '../wire/control.ts';
import type { Frame } from '../wire/splitter.ts';
import type { Channel } from './channel.ts';
import { KEY_MAX, keyOf, SIGNATURE_MAX } from './fields.ts';
import { RefusedError, telling } from './introduce.ts';

/** What is signed with the old key and the new one: that this node asks for the new one, on this connection. */
export const RETURN_PURPOSE = 'return';

/**
 * Why somebody may not come back. `member`: it is not forgotten, as far as this host knows; `left`: it went by itself;
 * `banned`: a person has said so; `returned`: somebody came back as this one, under another key.
 */
export type Unwelcome = 'member' | 'left' | 'banned' | 'returned';

/** Where the cluster keeps what it knows of those that went. */
export interface Readmissions {
  /** Why the node may not come back; undefined if it may. */
  refusal(old: string): Unwelcome | undefined;
  /**
   * Notes, durably, that the node comes back as another one. False when it has as a third one; true again for the same,
   * whose answer may have been lost.
   */
  note(old: string, anew: string): Promise<boolean>;
}

interface Options {
  /** With its key, on a host that holds it. */
  readonly authority: () => Authority | undefined;
  readonly readmissions: Readmissions;
  /** Whether this node is not let in any more. */
  readonly refused: (id: string) => boolean;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

interface Ask {
  readonly oldKey: Uint8Array;
  readonly newKey: Uint8Array;
  readonly byOld: Uint8Array;
  readonly byNew: Uint8Array;
  /** It needs a certificate: it cannot make one itself if it may come back, nor do without. */
  readonly needs: boolean;
}

/**
 * Lets a node come back that the cluster has forgotten, which `peer` has proven to be: it gets a certificate of another
 * key, or the word that it may come back, where it needs none. Whoever is refused is told why.
 * @returns its new id
 * @throws RefusedError, ChannelError, FrameError, and what the readmissions throw
 */
export async function serveReturn(channel: Channel, peer: Peer, options: Options): Promise<string> {
  return await telling(channel, async () => {
    const { id, certificate } = await readmit(channel, peer, askIn(await channel.next()), options);
    channel.send(encodeControl(CONTROL.grant, [certificate?.raw ?? new Uint8Array()]));
    return id;
  });
}

async function readmit(
  { socket }: Channel,
  peer: Peer,
  { oldKey, newKey, byOld, byNew, needs }: Ask,
  { authority, readmissions, refused, now }: Options,
): Promise<{ id: string; certificate: X509Certificate | undefined }> {
  const [before, anew] = [keyOf(oldKey), keyOf(newKey)];
  const bound = [bindingOf(socket), newKey];
  const isProven = idOf(before) === peer.id && verify(before, byOld, RETURN_PURPOSE, ...bound);
  if (!isProven || !verify(anew, byNew, RETURN_PURPOSE, ...bound)) throw new RefusedError('proof');
  const why = readmissions.refusal(peer.id);
  if (why) throw new RefusedError(why);
  const id = idOf(anew);
  if (id === peer.id || refused(id)) throw new RefusedError('revoked');
  const holder = authority();
  if (!holder && needs) throw new RefusedError('no-authority');
  if (!(await readmissions.note(peer.id, id))) throw new RefusedError('returned');
  return { id, certificate: holder && (await issue(holder, anew, now())) };
}

function askIn(frame: Frame): Ask {
  return readControl(frame, CONTROL.again, (reader) => ({
    oldKey: reader.bytes(KEY_MAX),
    newKey: reader.bytes(KEY_MAX),
    byOld: reader.bytes(SIGNATURE_MAX),
    byNew: reader.bytes(SIGNATURE_MAX),
    needs: reader.integer(1) === 1,
  }));
}
