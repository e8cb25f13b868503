/** dockerd in a lab host, and the image that every host has. */
import { createReadStream } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { imageFile } from './busybox.ts';
import { LabError } from './errors.ts';
import { outside } from './namespace.ts';
import { type Home, Service } from './service.ts';

/** The image's name. */
const image = 'busybox:local';

const socket = (home: Home): string => outside(home.init, '/run/docker.sock');

/** The dockerd of a host. */
export const dockerd = (home: Home): Service => new Service('dockerd', home);

/** Starts dockerd, waits until it answers and gives it the image if it lacks it. */
export async function startDocker(home: Home, args: string[]): Promise<void> {
  // Not systemd's control groups, whatever the machine runs: there is no systemd in here.
  const argv = ['dockerd', '--exec-opt', 'native.cgroupdriver=cgroupfs', ...args];
  await dockerd(home).start({
    argv,
    // Tells runc and dockerd to leave the machine's AppArmor alone.
    env: { container: 'net-routed-lab' },
    ready: async () => (await ask(home, 'GET', '/_ping').catch(() => undefined))?.status === 200,
    timeoutMs: 60_000,
  });
  await haveImage(home);
}

/** Version of the dockerd that runs on a host; undefined when none answers. */
export async function dockerVersion(home: Home): Promise<string | undefined> {
  const answer = await ask(home, 'GET', '/version').catch(() => undefined);
  return answer?.status === 200 ? (JSON.parse(answer.body) as { Version: string }).Version : undefined;
}

async function haveImage(home: Home): Promise<void> {
  if ((await ask(home, 'GET', `/images/${image}/json`)).status === 200) return;
  const [repo = '', tag = ''] = image.split(':');
  const query = new URLSearchParams({ fromSrc: '-', repo, tag, changes: 'CMD ["sh"]' });
  const answer = await ask(home, 'POST', `/images/create?${query}`, await imageFile(home.lab));
  if (answer.status !== 200 || answer.body.includes('"error"'))
    throw new LabError(`dockerd on ${home.host} did not take ${image}: ${answer.body.trim()}`);
}

/** One request to a host's dockerd, from outside through the host's /run. */
async function ask(
  home: Home,
  method: string,
  path: string,
  file?: string,
  timeoutMs = 30_000,
): Promise<{ status: number; body: string }> {
  const headers = file ? { 'content-type': 'application/x-tar' } : {};
  const signal = AbortSignal.timeout(timeoutMs);
  const sent = request({ socketPath: socket(home), method, path, headers, signal, agent: false });
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    sent.on('response', resolve);
    sent.on('error', reject);
  });
  answer.catch(() => undefined); // awaited below; must not count as unhandled while the body is being sent
  if (file) await pipeline(createReadStream(file), sent);
  else sent.end();
  const response = await answer;
  let body = '';
  response.setEncoding('utf8');
  for await (const chunk of response) body += chunk;
  return { status: response.statusCode ?? 0, body };
}
