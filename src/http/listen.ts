import { chmod, lstat, mkdir, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { CodedError } from '../errors.ts';

/** How long somebody may still answer on the socket of a daemon that was killed, in milliseconds. */
const DYING_MS = 2000;
const LOOK_MS = 50;

/**
 * Listens on `path`, whose folder is made when absent and whose mode becomes 0660. A socket file that a dead process
 * left is replaced. A process that was just being started by the dead one holds its sockets until it has begun, so
 * one that answers is given a moment to go.
 * @throws NR_SOCKET_IN_USE when somebody goes on to answer on it, or it is no socket
 */
export async function listenOnPath(listener: Server, path: string, dyingMs = DYING_MS): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await removeStale(path, dyingMs);
  await listening(listener, () => {
    // Nobody may connect before the mode is right. Listening binds at once; what is started later has its own mask.
    const mask = process.umask(0o117);
    try {
      listener.listen(path);
    } finally {
      process.umask(mask);
    }
  });
  await chmod(path, 0o660);
}

/** Listens on a socket that systemd opened: file descriptor `fd`. */
export async function listenOnFd(listener: Server, fd: number): Promise<void> {
  // Node knows no address of such a socket and answers null, which hapi does not expect.
  listener.address = () => `fd ${fd}`;
  await listening(listener, () => listener.listen({ fd }));
}

function listening(listener: Server, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: NodeJS.ErrnoException): void => {
      listener.off('listening', settle);
      listener.off('error', settle);
      if (!error) resolve();
      else if (error.code !== 'EADDRINUSE') reject(error);
      else reject(new CodedError('NR_SOCKET_IN_USE', 'the socket was taken meanwhile', { cause: error }));
    };
    listener.on('listening', settle);
    listener.on('error', settle);
    listen();
  });
}

async function removeStale(path: string, dyingMs: number): Promise<void> {
  const stat = await lstat(path).catch(() => undefined);
  if (!stat) return;
  if (!stat.isSocket()) throw new CodedError('NR_SOCKET_IN_USE', `${path} exists and is no socket`);
  for (const until = performance.now() + dyingMs; await answers(path); await pause(LOOK_MS)) {
    if (performance.now() < until) continue;
    throw new CodedError('NR_SOCKET_IN_USE', `another process answers on ${path}`);
  }
  await rm(path, { force: true }); // it may have gone with the one who answered
}

/** Only a refused connection proves that nobody listens; any other failure may be a busy or foreign process. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT');
    });
  });
}
