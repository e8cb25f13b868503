import { spawn } from 'node:child_process';
import type { Log } from './live.ts';

/** As much of a clock as is needed here. */
interface Alarm {
  /** Calls back once after `ms` milliseconds. Returns the way to cancel it. */
  after(ms: number, call: () => void): () => void;
}

/**
 * Tells systemd how the service is (sd_notify(3)), by systemd-notify(1), because Node cannot open the datagram socket
 * itself. Does nothing when systemd did not start this process. The unit needs NotifyAccess=all.
 */
export class Notifier {
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #log: Log;
  readonly #program: string;
  readonly #alarm: Alarm;
  #stopFeeding: (() => void) | undefined;

  constructor(
    env: Readonly<Record<string, string | undefined>>,
    log: Log,
    alarm: Alarm,
    program = 'systemd-notify',
  ) {
    this.#env = env;
    this.#log = log;
    this.#alarm = alarm;
    this.#program = program;
  }

  /** The sockets answer. From now on the watchdog is fed, as long as `live` says so. */
  ready(live: () => boolean): void {
    this.#tell('READY=1', 'STATUS=serves Docker');
    const every = this.#watchdogMs();
    if (every !== undefined) this.#feed(every, live);
  }

  stopping(): void {
    this.#stopFeeding?.();
    this.#tell('STOPPING=1');
  }

  #feed(every: number, live: () => boolean): void {
    this.#stopFeeding = this.#alarm.after(every, () => {
      this.#feed(every, live);
      if (live()) this.#tell('WATCHDOG=1');
      else this.#log.error({}, 'the reconcile loop hangs: the watchdog is not fed');
    });
  }

  /** Half of what systemd waits for, in milliseconds; undefined when it does not wait for this process. */
  #watchdogMs(): number | undefined {
    const { WATCHDOG_USEC, WATCHDOG_PID } = this.#env;
    const microseconds = Number(WATCHDOG_USEC);
    if (!(microseconds > 0) || (WATCHDOG_PID && Number(WATCHDOG_PID) !== process.pid)) return undefined;
    return microseconds / 1000 / 2;
  }

  #tell(...states: string[]): void {
    if (!this.#env.NOTIFY_SOCKET) return;
    const child = spawn(this.#program, states, { stdio: 'ignore', env: { ...this.#env } });
    child.on('error', (error) => this.#log.error({ err: error }, 'could not tell systemd'));
    child.unref();
  }
}
