/** Traffic that runs through a test and says what was lost, and what a kernel lost meanwhile. */
import { once } from 'node:events';
import type { Host, Running } from '../../lab/host.ts';
import { eventually } from './support.ts';

export interface Tally {
  readonly sent: number;
  readonly received: number;
}

/** A ping every 20 ms until it is ended. Starts to count with the first answer. */
export async function ping(from: Host, to: string): Promise<{ end(): Promise<Tally> }> {
  const running = from.spawn(['ping', '-n', '-i', '0.02', to], ['ignore', 'pipe', 'inherit']);
  const text = collect(running);
  await eventually(`${to} answers ${from.name}`, () => text().includes('time='));
  return {
    async end() {
      await finish(running, 'SIGINT');
      const match = /(\d+) packets transmitted, (\d+) received/.exec(text());
      if (!match) throw new Error(`ping said:\n${text()}`);
      return { sent: Number(match[1]), received: Number(match[2]) };
    },
  };
}

/** The routes that a kernel removes from now on. */
export async function watchRemovals(host: Host): Promise<{ end(): Promise<string[]> }> {
  const running = host.spawn(
    ['stdbuf', '-oL', 'ip', '-o', 'monitor', 'route'],
    ['ignore', 'pipe', 'inherit'],
  );
  const text = collect(running);
  // It says nothing when it is ready, so it is given something to say.
  const probe = ['198.51.100.254/32', 'dev', 'lo', 'metric', '9999'];
  await eventually(`ip monitor listens on ${host.name}`, async () => {
    await host.exec(['ip', 'route', 'add', ...probe]);
    await host.exec(['ip', 'route', 'del', ...probe]);
    return text().includes('198.51.100.254');
  });
  return {
    async end() {
      await finish(running, 'SIGTERM');
      return text()
        .split('\n')
        .filter((line) => line.startsWith('Deleted') && !line.includes('198.51.100.254'));
    },
  };
}

function collect(running: Running): () => string {
  let output = '';
  running.process.stdout?.on('data', (part: Buffer) => {
    output += part.toString();
  });
  return () => output;
}

async function finish(running: Running, signal: NodeJS.Signals): Promise<void> {
  const closed = running.process.stdout && once(running.process.stdout, 'close');
  running.kill(signal);
  await running.done;
  await closed;
}
