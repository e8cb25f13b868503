import { chmod, lstat, mkdir, unlink } from 'node:fs/promises';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { CodedError } from '../errors.ts';

/**
 * Listens on a socket file of mode 0660, in place of one that a dead process left.
 * @throws NR_SOCKET_IN_USE when somebody answers on it, or it is no socket
 */
export async function listenOn(server: Server, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const stat = await lstat(path).catch(() => undefined);
  if (stat && !stat.isSocket()) throw new CodedError('NR_SOCKET_IN_USE', `${path} exists and is no socket`);
  if (stat) {
    if (await answers(path)) throw new CodedError('NR_SOCKET_IN_USE', `another process answers on ${path}`);
    await unlink(path);
  }
  // Nobody may connect before the mode is right.
  const mask = process.umask(0o117);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, () => {
        server.off('error', reject);
        resolve();
      });
    });
  } finally {
    process.umask(mask);
  }
  await chmod(path, 0o660);
}

/** Only a refused connection proves that nobody listens. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'));
  });
}
