/** A ping every 10 ms that says what was lost. */
import { once } from 'node:events';
import type { Host } from '../lab/host.ts';
import { eventually } from './stage.ts';

export interface Tally {
  readonly sent: number;
  readonly lost: number;
}

/** Pings from a container's network, and counts from the first answer on. */
export async function pingFrom(
  host: Host,
  containerPid: number,
  to: string,
): Promise<{ end(): Promise<Tally> }> {
  const inside = ['nsenter', '-t', String(containerPid), '-n'];
  await eventually(`${to} answers`, async () => {
    return (await host.exec([...inside, 'ping', '-n', '-c', '1', '-W', '1', to])).status === 0;
  });
  const running = host.spawn(
    [...inside, 'ping', '-n', '-q', '-i', '0.01', to],
    ['ignore', 'pipe', 'inherit'],
  );
  let text = '';
  running.process.stdout?.setEncoding('latin1').on('data', (part: string) => {
    text += part;
  });
  return {
    async end() {
      const closed = running.process.stdout && once(running.process.stdout, 'close');
      // nsenter becomes ping, so the signal reaches it.
      running.kill('SIGINT');
      await running.done;
      await closed;
      const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(text) ?? [];
      if (sent === undefined) throw new Error(`ping said:\n${text}`);
      return { sent: Number(sent), lost: Number(sent) - Number(received) };
    },
  };
}
