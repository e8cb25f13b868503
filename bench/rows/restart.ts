/** What running containers notice of the end of daemon and engine. */
import type { Host } from '../../lab/host.ts';
import { clear, createNetwork, sleeper } from '../dockerapi.ts';
import { pause, timed, untilFirst } from '../flight.ts';
import { pingFrom } from '../ping.ts';
import { type Bench, type Finding, figure, type Row } from '../row.ts';
import { driverOf, enginePid, eventually, killEngine, wellOn } from '../stage.ts';

const NEAR = '10.1.0.2';
const FAR = '10.1.0.3';
const GOAL = '0 lost';

async function run({ lab, count, say }: Bench): Promise<Finding> {
  const [h1, h2] = [lab.host('h1'), lab.host('h2')];
  for (const host of [h1, h2]) await createNetwork(host, 'bench', '10.1.0.0/16');
  await sleeper(h1, 'near', '--network', 'bench', '--ip', NEAR);
  const far = await sleeper(h2, 'far', '--network', 'bench', '--ip', FAR);
  const rounds = count(5, 1);
  const lost: Record<string, number[]> = { nothing: [], daemon: [], engine: [] };
  const sent: number[] = [];
  const answered: number[] = [];
  const established: number[] = [];
  /** One ping from container to container while something happens. */
  const during = async (what: string, event: () => Promise<void>): Promise<void> => {
    const ping = await pingFrom(h2, far, NEAR);
    await pause(300);
    await event();
    await pause(1000);
    const tally = await ping.end();
    lost[what]!.push(tally.lost);
    sent.push(tally.sent);
  };
  for (let round = 0; round < rounds; round++) {
    say(`round ${round + 1} of ${rounds}`);
    await during('nothing', () => pause(2000));
    await during('daemon', async () => {
      answered.push(await restartDaemon(h1));
      await wellOn(h1);
    });
    await during('engine', async () => {
      established.push(await restartEngine(h1));
    });
  }
  for (const host of [h1, h2]) await clear(host);
  const packets = (what: string) => lost[what]!;
  return {
    figures: [
      figure('lost, SIGKILL of the daemon and start', 'packets', packets('daemon'), { goal: GOAL }),
      figure('lost, SIGKILL of gobgpd', 'packets', packets('engine'), { goal: GOAL }),
      figure('lost, nothing happens', 'packets', packets('nothing')),
      figure('start of the daemon -> Docker is answered', 'ms', answered),
      figure('SIGKILL of gobgpd -> another runs, session established', 'ms', established),
    ],
    notes: [
      'ping every 10 ms from a container on h2 to one on h1, whose daemon or engine is killed; ' +
        `${Math.round(sent.reduce((all, one) => all + one, 0) / sent.length)} packets each time`,
    ],
  };
}

/** Milliseconds from the start until a call is answered. */
async function restartDaemon(host: Host): Promise<number> {
  await host.stopDaemon('SIGKILL');
  const starting = host.startDaemon();
  const ms = await untilFirst('an answer to Docker', async () => {
    const driver = driverOf(host);
    await driver.activate().finally(() => driver.close());
  });
  await starting;
  return ms;
}

/** Milliseconds until the next engine has its session. */
async function restartEngine(host: Host): Promise<number> {
  const before = await enginePid(host);
  return timed(async () => {
    await killEngine(host);
    await eventually('another engine runs', async () => {
      const now = await enginePid(host);
      return now !== undefined && now !== before;
    });
    await wellOn(host);
  });
}

export const restartRow: Row = { name: 'restart', lab: 'docker', run };
