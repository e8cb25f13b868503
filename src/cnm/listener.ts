import { chmod, lstat, mkdir, unlink } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { CodedError } from '../errors.ts';
import { errorBody, MIME } from './reply.ts';

/** Time that a request's headers, and the whole of it, may take to arrive, in milliseconds. */
export interface Patience {
  readonly headersMs: number;
  readonly requestMs: number;
}

/**
 * An HTTP server that suits dockerd: an empty or absent Host header passes (Docker 20.10), and a connection that
 * is idle between requests, or has not yet brought one, is never closed by us, as that could cross a request on
 * its way. Only one that stops in the middle of a request is.
 */
export function createListener(patience: Patience): Server {
  return createServer({
    requireHostHeader: false,
    keepAliveTimeout: 0,
    headersTimeout: patience.headersMs,
    requestTimeout: patience.requestMs,
    connectionsCheckingInterval: Math.max(50, Math.min(5000, patience.headersMs / 4)),
  });
}

/** Answers what is no HTTP, or stopped half-way, in the form of every other error. */
export function onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  const timeout = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  // Node also counts a connection that has sent nothing at all: Go's pool keeps such for later.
  if (timeout && socket.bytesRead === 0) return;
  if (!socket.writable) {
    socket.destroy(error);
    return;
  }
  const [status, what] = timeout
    ? ['408 Request Timeout', 'the request did not arrive in time']
    : ['400 Bad Request', 'the request is not HTTP'];
  const body = JSON.stringify(errorBody(new CodedError('NR_REQUEST_INVALID', what)));
  socket.end(
    `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: ${MIME}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

/**
 * Listens on `path`, whose folder is made when absent and whose mode becomes 0660. A socket file that a dead
 * process left is replaced. @throws NR_SOCKET_IN_USE when somebody answers on it, or it is no socket.
 */
export async function listenOnPath(listener: Server, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await removeStale(path);
  await listening(listener, () => listener.listen(path));
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

async function removeStale(path: string): Promise<void> {
  const stat = await lstat(path).catch(() => undefined);
  if (!stat) return;
  if (!stat.isSocket()) throw new CodedError('NR_SOCKET_IN_USE', `${path} exists and is no socket`);
  if (await answers(path)) throw new CodedError('NR_SOCKET_IN_USE', `another process answers on ${path}`);
  await unlink(path);
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
