import { Counter, Histogram, Registry } from 'prom-client';
import type { Services } from '../driver/services.ts';
import { measure } from './measure.ts';
import type { Pulse } from './pulse.ts';

/** Upper bounds of the duration of Docker's calls, in seconds: most take a millisecond, the deadline is ten. */
const CALL_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 2.5, 10];

/** Prometheus' view: what is counted as it happens is kept here, everything else is read when it is asked for. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #calls = new Counter({
    name: 'net_routed_cnm_calls_total',
    help: "Calls of Docker's plugin API by method and error code",
    labelNames: ['method', 'code'],
    registers: [this.#registry],
  });
  readonly #callSeconds = new Histogram({
    name: 'net_routed_cnm_call_seconds',
    help: "Duration of calls of Docker's plugin API",
    labelNames: ['method'],
    buckets: CALL_SECONDS,
    registers: [this.#registry],
  });
  readonly #unhandled = new Counter({
    name: 'net_routed_unhandled_rejections_total',
    help: 'Failures that nobody handled; each is in the log',
    registers: [this.#registry],
  });

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** One call of Docker, `ms` milliseconds long; the error code or OK. */
  onCall(method: string, ms: number, code: string): void {
    this.#calls.inc({ method, code });
    this.#callSeconds.observe({ method }, ms / 1000);
  }

  onUnhandled(): void {
    this.#unhandled.inc();
  }

  /** The text that Prometheus reads. */
  async render(services: Services, pulse: Pulse): Promise<string> {
    const measured = await measure(services, pulse);
    return `${await this.#registry.metrics()}\n${await measured.metrics()}`;
  }
}
