import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { asCoded, CodedError } from '../errors.ts';
import type { Flows, PublishedPort } from '../ports/firewall.ts';
import type { Operation, Outcome } from '../ports/target.ts';
import { getRoute } from './commands.ts';
import { type Flow, isStale, parseFlow } from './flow.ts';
import { query } from './listing.ts';
import { isLocal } from './parse.ts';

/** How long conntrack may take, in milliseconds: a table of a million takes it seconds. */
const TIMEOUT = 30_000;

export interface ConntrackOptions {
  /** The `conntrack` of conntrack-tools. */
  readonly program?: string;
  /** The `ip` of iproute2. */
  readonly ip?: string;
}

/** The kernel's table of connections, by the program conntrack: nothing else deletes single entries. */
export class Conntrack implements Flows {
  readonly #program: string;
  readonly #ip: string;
  readonly #running = new Set<ChildProcess>();

  constructor({ program = 'conntrack', ip = 'ip' }: ConntrackOptions = {}) {
    this.#program = program;
    this.#ip = ip;
  }

  /** One look at the table for each protocol and family, and one deletion for each place that flows went to. */
  async apply(operations: readonly Operation<PublishedPort>[]): Promise<readonly Outcome[]> {
    const errors = new Map<Operation<PublishedPort>, CodedError>();
    const tables = Map.groupBy(operations, ({ resource }) => tableOf(resource).join(' '));
    for (const group of tables.values()) {
      try {
        await this.#applyTo(group);
      } catch (error) {
        for (const operation of group) errors.set(operation, asCoded(error));
      }
    }
    return operations.map((operation) => ({ key: operation.key, error: errors.get(operation) }));
  }

  async close(): Promise<void> {
    for (const child of this.#running) child.kill('SIGKILL');
  }

  async #applyTo(operations: readonly Operation<PublishedPort>[]): Promise<void> {
    const table = tableOf(operations[0]!.resource);
    const byPort = Map.groupBy(operations, ({ resource }) => resource.port);
    const flows = new Map<string, Flow>();
    // Of a single port conntrack leaves out the others itself.
    const filter = byPort.size === 1 ? ['--orig-port-dst', String([...byPort.keys()][0])] : [];
    await this.#run(['-L', ...table, ...filter], (line) => {
      const flow = parseFlow(line);
      if (flow && byPort.has(flow.port)) flows.set(Object.values(flow).join(' '), flow);
    });
    const stale = (local: (address: string) => boolean) =>
      [...flows.values()].filter((flow) => byPort.get(flow.port)?.some((one) => isStale(one, flow, local)));
    const own = await this.#local(stale(() => true).map(({ address }) => address));
    for (const { address, port, toAddress, toPort } of stale((one) => own.has(one))) {
      const to = ['--reply-src', toAddress, '--reply-port-src', String(toPort)];
      await this.#run(['-D', ...table, '--orig-dst', address, '--orig-port-dst', String(port), ...to]);
    }
  }

  /** Those addresses that packets to the host have. */
  async #local(addresses: readonly string[]): Promise<Set<string>> {
    const distinct = [...new Set(addresses)];
    const answers = await query(this.#ip, distinct.map(getRoute), /./);
    return new Set(distinct.filter((_, i) => isLocal(answers[i]?.[0])));
  }

  #run(args: readonly string[], take: (line: string) => void = () => {}): Promise<void> {
    return new Promise((resolve, reject) => {
      const child = spawn(this.#program, args, {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, LC_ALL: 'C' },
      });
      this.#running.add(child);
      const patience = setTimeout(() => child.kill('SIGKILL'), TIMEOUT);
      const end = (reason?: string, cause?: unknown) => {
        clearTimeout(patience);
        this.#running.delete(child);
        if (reason === undefined) resolve();
        else reject(new CodedError('NR_CONNTRACK_FAILED', reason, { cause }));
      };
      let said = '';
      createInterface(child.stdout).on('line', take);
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        said = (said + text).slice(-1000);
      });
      child.once('error', (error) => end(`${this.#program} cannot be run: ${error.message}`, error));
      child.once('close', (code, signal) => {
        // Status 1 also tells that nothing was there to delete any more.
        if (code === 0 || (code === 1 && /\b0 flow entries have been deleted/.test(said))) return end();
        end(`${this.#program}: ${said.trim() || `it ended with ${signal ?? `status ${code}`}`}`);
      });
    });
  }
}

function tableOf({ protocol, family }: PublishedPort): string[] {
  return ['-f', family === 4 ? 'ipv4' : 'ipv6', '-p', protocol];
}
