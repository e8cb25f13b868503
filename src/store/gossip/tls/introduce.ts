import {
  type Credentials,
  DistrustError,
  type Introduction,
  type Peer,
  type Role,
} from '../../trust/credentials.ts';
import { CONTROL, encodeControl, readControl } from '../wire/control.ts';
import type { Frame } from '../wire/splitter.ts';
import { type Channel, ChannelError } from './channel.ts';
import { KEY_MAX, SIGNATURE_MAX } from './fields.ts';

const REASON_MAX = 32;

/** The other side does not let us in, and says why. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly reason: string;

  constructor(reason: string) {
    super(`refused by the other side: ${reason}`);
    this.reason = reason;
  }
}

/**
 * The dialer introduces itself, and learns who has answered.
 * @throws DistrustError, RefusedError, ChannelError, FrameError
 */
export async function introduceAsDialer(
  channel: Channel,
  credentials: Credentials,
  expectedId?: string,
): Promise<Peer> {
  channel.send(encoded(credentials.introduce(channel.socket, 'dialer')));
  const peer = identify(channel, credentials, 'listener', await channel.next());
  if (expectedId !== undefined && peer.id !== expectedId)
    throw new DistrustError('identity', `${peer.id} has answered for ${expectedId}`);
  return peer;
}

/**
 * The listener learns who has dialled, and introduces itself to whom `admit` lets in: it answers why not.
 * @throws DistrustError, RefusedError, ChannelError, FrameError
 */
export async function introduceAsListener(
  channel: Channel,
  credentials: Credentials,
  admit: (peer: Peer) => string | undefined,
): Promise<Peer> {
  return await telling(channel, async () => {
    const peer = identify(channel, credentials, 'dialer', await channel.next());
    const refusal = admit(peer);
    if (refusal !== undefined) throw new RefusedError(refusal);
    channel.send(encoded(credentials.introduce(channel.socket, 'listener')));
    return peer;
  });
}

/** Does what may refuse the other side, and tells it why then. @throws what `work` throws */
export async function telling<T>(channel: Channel, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof DistrustError) refuse(channel, error.distrust);
    if (error instanceof RefusedError) refuse(channel, error.reason);
    throw error;
  }
}

/** Tells why, and ends it. */
export function refuse(channel: Channel, reason: string): void {
  channel.send(encodeControl(CONTROL.refusal, [reason]));
  channel.close(reason);
}

/** @throws RefusedError when the frame is a refusal, FrameError */
export function refusalIn(frame: Frame): RefusedError | undefined {
  if (frame.type !== CONTROL.refusal) return undefined;
  return new RefusedError(readControl(frame, CONTROL.refusal, (reader) => reader.text(REASON_MAX)));
}

function identify(channel: Channel, credentials: Credentials, role: Role, frame: Frame): Peer {
  const refusal = refusalIn(frame);
  if (refusal) throw refusal;
  const introduction = readControl(
    frame,
    CONTROL.introduction,
    (reader): Introduction => ({
      key: reader.absent() ? undefined : reader.bytes(KEY_MAX),
      signature: reader.absent() ? undefined : reader.bytes(SIGNATURE_MAX),
    }),
  );
  // The other side may be gone, and with it what TLS knew of it.
  if (channel.ended) throw new ChannelError('closed');
  return credentials.identify(channel.socket, role, introduction);
}

function encoded({ key, signature }: Introduction): Uint8Array {
  return encodeControl(CONTROL.introduction, key && signature ? [key, signature] : []);
}
