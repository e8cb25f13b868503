import type { TLSSocket } from 'node:tls';
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
