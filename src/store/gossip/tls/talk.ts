import { connect, type TLSSocket } from 'node:tls';
import type { Clock } from '../../../ports/clock.ts';
import type { Credentials } from '../../trust/credentials.ts';
import { DialError } from '../transport.ts';
import { CONTROL_MAX } from '../wire/control.ts';
import { Channel } from './channel.ts';
import { secured } from './secured.ts';

/** Whom to talk to, and how. */
interface Talk {
  readonly address: string;
  readonly port: number;
  /** What is to be spoken (RFC 7301). */
  readonly protocol: string;
  readonly ways: Pick<Credentials, 'dialing' | 'dialed' | 'distrustOf'>;
  /** How long all of it may take, in milliseconds. */
  readonly ms: number;
  readonly clock: Clock;
}

/**
 * Opens a connection, and says on it what there is to say. It stays if that comes to an end in time.
 * @throws DialError `timeout`, what the socket failed with, ChannelError, and what `say` throws
 */
export async function open<T>(talk: Talk, say: (channel: Channel) => Promise<T>): Promise<T> {
  const { ms, clock } = talk;
  let socket: TLSSocket | undefined;
  let isLate = false;
  const cancel = clock.after(ms, () => {
    isLate = true;
    socket?.destroy();
  });
  const made = (next: TLSSocket) => {
    socket = next;
  };
  try {
    return await say(new Channel(await dial(talk, made, () => isLate), CONTROL_MAX, clock.after));
  } catch (error) {
    socket?.destroy();
    if (isLate) throw new DialError('timeout', `no answer within ${ms / 1000} s`, { cause: error });
    throw error;
  } finally {
    cancel();
  }
}

/** As open(), and ends the connection then. */
export function ask<T>(talk: Talk, say: (channel: Channel) => Promise<T>): Promise<T> {
  return open(talk, async (channel) => {
    const answer = await say(channel);
    channel.destroy('answered');
    return answer;
  });
}

/** A connection on which TLS is agreed upon, by the first of the ways that the other side takes. */
async function dial(
  { address, port, protocol, ways }: Talk,
  made: (socket: TLSSocket) => void,
  isLate: () => boolean,
): Promise<TLSSocket> {
  const all = ways.dialing();
  for (const [at, options] of all.entries()) {
    const socket = connect({ ...options, host: address, port, ALPNProtocols: [protocol] });
    ways.dialed(socket, at);
    made(socket);
    try {
      await secured(socket);
      return socket;
    } catch (error) {
      const isLast = at === all.length - 1;
      if (isLast || isLate() || ways.distrustOf(error as Error) !== 'secret') throw error;
    }
  }
  throw new Error('there is no way to dial');
}
