import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
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
