/** Serf's agents, a process each, on its profile for local networks, with an encryption key: user events. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { must } from '../../lab/run.ts';
import { until } from '../../lab/wait.ts';
import { now } from '../fleet/protocol.ts';
import { record } from './record.ts';

const PROGRAM = '/usr/bin/serf';
const FIRST_PORT = 20_000;
const FIRST_RPC_PORT = 30_000;
/** A user event may have so many bytes. */
const PAYLOAD_MAX = 400;

export function hasSerf(): boolean {
  return existsSync(PROGRAM);
}

export class SerfAgents {
  readonly #namespace: string;
  readonly #agents: ChildProcess[] = [];
  /** Of each event, when each agent has logged it. */
  readonly #times = new Map<string, number[]>();

  constructor(namespace: string) {
    this.#namespace = namespace;
  }

  async start(count: number): Promise<void> {
    const key = randomBytes(16).toString('base64');
    for (let at = 0; at < count; at++) {
      const join = at === 0 ? [] : [`-join=127.0.0.1:${FIRST_PORT}`];
      const agent = spawn('ip', [
        ...['netns', 'exec', this.#namespace, PROGRAM, 'agent', `-node=n${at}`, `-encrypt=${key}`],
        ...[`-bind=127.0.0.1:${FIRST_PORT + at}`, `-rpc-addr=127.0.0.1:${FIRST_RPC_PORT + at}`],
        ...['-profile=lan', '-log-level=info', ...join],
      ]);
      this.#agents.push(agent);
      createInterface({ input: agent.stdout }).on('line', (line) => this.#heard(line));
    }
    await until(
      'all agents of serf know each other',
      async () => {
        const members = await this.#members(count - 1).catch(() => 0);
        return members === count && (await this.#members(0)) === count;
      },
      { timeoutMs: 30_000 },
    );
  }

  /** Milliseconds from when the first agent has it until the last one has; undefined if one never does. */
  async visible(at: number, name: string, patienceMs: number): Promise<number | undefined> {
    const times: number[] = [];
    this.#times.set(name, times);
    await this.#serf('event', at, [name, record(name).slice(0, PAYLOAD_MAX)]);
    const deadline = now() + patienceMs;
    while (times.length < this.#agents.length && now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 2));
    return times.length < this.#agents.length ? undefined : Math.max(...times) - Math.min(...times);
  }

  async end(): Promise<void> {
    const ended = this.#agents.map((agent) => new Promise((resolve) => agent.once('exit', resolve)));
    for (const agent of this.#agents) agent.kill('SIGKILL');
    await Promise.all(ended);
  }

  #heard(line: string): void {
    const name = /Received event: user-event: (\S+)/.exec(line)?.[1];
    if (name !== undefined) this.#times.get(name)?.push(now());
  }

  async #members(at: number): Promise<number> {
    const said = await this.#serf('members', at, ['-status=alive']);
    return said.trim().split('\n').length;
  }

  #serf(command: string, at: number, more: readonly string[]): Promise<string> {
    const rpc = `-rpc-addr=127.0.0.1:${FIRST_RPC_PORT + at}`;
    return must(['ip', 'netns', 'exec', this.#namespace, PROGRAM, command, rpc, ...more]);
  }
}
