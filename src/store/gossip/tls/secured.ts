import { connect, type TLSSocket } from 'node:tls';
import type { Credentials } from '../../trust/credentials.ts';
import { ChannelError } from './channel.ts';

/** The kernel asks a silent other end from then on whether it is there, in milliseconds. */
const KEEP_ALIVE_MS = 30_000;

/** When TLS is agreed upon by a socket that connects. @throws what the socket failed with, ChannelError */
export function secured(socket: TLSSocket): Promise<void> {
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  return new Promise((resolve, reject) => {
    // It stays: a socket that fails again, later, has nobody else to tell.
    socket.on('error', reject);
    socket.once('close', () => reject(new ChannelError('closed')));
    socket.once('secureConnect', resolve);
  });
}

interface Dialing {
  readonly host: string;
  readonly port: number;
  /** What is to be spoken (RFC 7301). */
  readonly protocol: string;
  /** Told of each socket as it is made, so that it can be ended. */
  readonly made: (socket: TLSSocket) => void;
  /** Nobody waits any more. */
  readonly isLate: () => boolean;
}

/**
 * A connection on which TLS is agreed upon, by the first of the secrets that the other side takes.
 * @throws as secured()
 */
export async function dialSecured(
  credentials: Credentials,
  { host, port, protocol, made, isLate }: Dialing,
): Promise<TLSSocket> {
  const ways = credentials.dialing();
  for (const [at, options] of ways.entries()) {
    const socket = connect({ ...options, host, port, ALPNProtocols: [protocol] });
    credentials.dialed(socket, at);
    made(socket);
    try {
      await secured(socket);
      return socket;
    } catch (error) {
      const isLast = at === ways.length - 1;
      if (isLast || isLate() || credentials.distrustOf(error as Error) !== 'secret') throw error;
    }
  }
  throw new Error('there is no way to dial');
}
