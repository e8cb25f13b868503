import { request } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** One HTTP request over a unix socket, with a value as JSON if one is given. Rejects with the reason, or after `ms` milliseconds without an answer. */
export function ask(
  socket: string,
  method: string,
  path: string,
  ms: number,
  value?: object,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request(
      { socketPath: socket, method, path, headers: { host: 'localhost', connection: 'close' } },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString() }),
        );
      },
    );
    const timer = setTimeout(() => call.destroy(new Error(`no answer within ${ms} ms`)), ms);
    call.on('error', reject);
    call.on('close', () => clearTimeout(timer));
    call.end(value && JSON.stringify(value));
  });
}

/** Why a socket does not answer, in words for people. */
export function whyNot(socket: string, error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') return `nobody listens on ${socket}`;
  if (error.code === 'EACCES') return `${socket} may not be opened by this user`;
  return `${socket}: ${error.message}`;
}
