/** Routes as they come to and go from a kernel, with the time of each. */
import type { Host, Running } from '../lab/host.ts';
import { eventually } from './stage.ts';

/** A route that came or went. */
export interface RouteEvent {
  readonly gone: boolean;
  /** Without the length of a host route. */
  readonly prefix: string;
  /** Milliseconds since 1970, with fractions, when the kernel told. */
  readonly at: number;
}

/** Now, on the same clock as the events', in milliseconds with fractions. */
export const wallClock = (): number => performance.timeOrigin + performance.now();

const LINE = /^\[(\S+?)\] (Deleted )?(?:unicast )?(\S+) /;
/** Something that nobody routes to (RFC 5737). */
const PROBE = '198.51.100.254';

/** Follows the IPv4 routes of a host from when `start` resolves on. */
export class RouteMonitor {
  readonly #running: Running;
  readonly #heard: (event: RouteEvent) => void;
  #rest = '';
  #listening = false;

  private constructor(host: Host, heard: (event: RouteEvent) => void) {
    this.#heard = heard;
    const argv = ['stdbuf', '-oL', 'ip', '-4', '-o', '-ts', '-rc', '16777216', 'monitor', 'route'];
    this.#running = host.spawn(argv, ['ignore', 'pipe', 'inherit'], { TZ: 'UTC' });
    this.#running.process.stdout?.setEncoding('latin1').on('data', (part: string) => this.#take(part));
  }

  static async start(host: Host, heard: (event: RouteEvent) => void): Promise<RouteMonitor> {
    const monitor = new RouteMonitor(host, heard);
    // It does not say when it listens, so it is given something to say.
    const probe = [`${PROBE}/32`, 'dev', 'lo', 'metric', '9999'];
    await eventually(`ip monitor listens on ${host.name}`, async () => {
      await host.exec(['ip', 'route', 'add', ...probe]);
      await host.exec(['ip', 'route', 'del', ...probe]);
      return monitor.#listening;
    });
    return monitor;
  }

  async end(): Promise<void> {
    this.#running.kill('SIGTERM');
    await this.#running.done;
  }

  #take(part: string): void {
    const lines = (this.#rest + part).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const [, time, gone, prefix] = LINE.exec(line) ?? [];
      if (time === undefined || prefix === undefined) continue;
      if (prefix === PROBE) this.#listening = true;
      else this.#heard({ gone: gone !== undefined, prefix, at: milliseconds(time) });
    }
  }
}

/** Of 2025-11-21T13:45:53.123456, UTC; Date knows three digits only. */
export function milliseconds(time: string): number {
  const [seconds = '', fraction = '0'] = time.split('.');
  return Date.parse(`${seconds}Z`) + Number(`0.${fraction}`) * 1000;
}
