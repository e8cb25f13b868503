/** Calls of the plugin as dockerd makes them, and as it would not. */
import { request } from 'node:http';
import type { Host } from '../../lab/host.ts';

/** A host with a daemon, as much of it as its sockets need. */
export type Answering = Pick<Host, 'name' | 'path'>;

export interface Reply {
  readonly status: number;
  readonly text: string;
}

/** One request on the network driver's socket, which serves the IPAM driver as well. */
export function send(
  host: Answering,
  path: string,
  body: string | Buffer | undefined,
  method = 'POST',
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const socketPath = host.path('/run/docker/plugins/net-routed.sock');
    const sent = request({ socketPath, path, method, headers: { host: '' }, agent: false }, (response) => {
      let text = '';
      response.on('data', (part: Buffer) => {
        text += part.toString();
      });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** One call of a method such as `IpamDriver.RequestPool`; without a body where Docker sends none. */
export function say(host: Answering, method: string, body?: object): Promise<Reply> {
  return send(host, `/${method}`, body && JSON.stringify(body));
}
