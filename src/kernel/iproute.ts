import { asCoded } from '../errors.ts';
import {
  type HostFacts,
  type Kernel,
  type KernelEvent,
  type KernelResource,
  kernelKey,
  LINK_GROUP,
  LINK_PREFIX,
  type Listener,
  type NextHop,
  ROUTE_PROTOCOL,
} from '../ports/kernel.ts';
import type { Log } from '../ports/log.ts';
import type { Operation, Outcome } from '../ports/target.ts';
import { Addresses } from './addresses.ts';
import { getRoute, showRoutesOf } from './commands.ts';
import { readFacts } from './facts.ts';
import type { Verdict } from './group.ts';
import { Inspector } from './inspector.ts';
import { Links } from './links.ts';
import { readListeners } from './listeners.ts';
import { list, query } from './listing.ts';
import { Monitor } from './monitor.ts';
import { ofLinks } from './oflinks.ts';
import {
  addressResources,
  isOwn,
  type LinkState,
  linkResource,
  parseLink,
  parseRoute,
  parseWay,
} from './parse.ts';
import { Pass } from './pass.ts';
import { Routes } from './routes.ts';
import { runs } from './runs.ts';
import { Sandboxes, sandboxAlive } from './sandboxes.ts';
import { SCRATCH_GROUP } from './scratch.ts';
import { Settings } from './settings.ts';
import { Sysctls } from './sysctl.ts';
import { Writer } from './writer.ts';

export interface IprouteOptions {
  readonly log?: Log;
  /** The `ip` of iproute2. */
  readonly program?: string;
  /** The `ss` of iproute2. */
  readonly socketProgram?: string;
  /** Where /proc/sys is mounted writable. */
  readonly sysctlRoot?: string;
  /** How long the kernel may take for a group of commands, in milliseconds. */
  readonly timeout?: number;
}

/** From here on reading everything is cheaper than asking for each link. */
const MANY = 100;

/** The kernel of this process's network namespace, by iproute2 and /proc/sys. */
export class IprouteKernel implements Kernel {
  readonly #program: string;
  readonly #socketProgram: string;
  readonly #ip: Writer;
  readonly #reaper: Writer;
  readonly #inspector: Inspector;
  readonly #links: Links;
  readonly #addresses: Addresses;
  readonly #routes: Routes;
  readonly #sandboxes: Sandboxes;
  readonly #settings: Settings;
  readonly #monitor: Monitor;

  constructor({ log, program = 'ip', socketProgram = 'ss', sysctlRoot, timeout }: IprouteOptions = {}) {
    const options = { command: [program], log, ...(timeout !== undefined && { timeout }) };
    this.#program = program;
    this.#socketProgram = socketProgram;
    this.#ip = new Writer(options);
    this.#reaper = new Writer(options);
    this.#inspector = new Inspector(program);
    const sysctls = new Sysctls(sysctlRoot);
    this.#settings = new Settings(sysctls);
    this.#links = new Links(this.#ip, this.#reaper, this.#inspector, sysctls.ipv6);
    this.#addresses = new Addresses(this.#ip, this.#inspector);
    this.#routes = new Routes(this.#ip, this.#inspector);
    this.#sandboxes = new Sandboxes(program, this.#inspector, log);
    this.#monitor = new Monitor(program, log);
  }

  /** Ids of the helper processes, for tests. */
  get pids(): { readonly ip: number | undefined; readonly monitor: number | undefined } {
    return { ip: this.#ip.pid, monitor: this.#monitor.pid };
  }

  facts(): Promise<HostFacts> {
    return readFacts(this.#program);
  }

  async read(): Promise<ReadonlyMap<string, KernelResource>> {
    // What is repaired from here on must not meet devices as they were at the time of an earlier reading.
    this.#ip.renew();
    const found = new Found();
    const links = (group: number) =>
      list(this.#program, ['addr', 'show', 'group', String(group), 'type', 'veth'], (element) =>
        found.link(parseLink(element)),
      );
    const routes = ['route', 'show', 'table', 'all', 'proto', String(ROUTE_PROTOCOL)];
    await Promise.all([
      links(LINK_GROUP),
      links(SCRATCH_GROUP),
      list(this.#program, routes, (element) => found.add(parseRoute(element))),
    ]);
    await this.#settings.read(found.names, (sysctl) => found.add(sysctl));
    return found.resources;
  }

  async readLinks(names: readonly string[]): Promise<ReadonlyMap<string, KernelResource>> {
    if (names.length > MANY) return ofLinks(await this.read(), new Set(names));
    const found = new Found();
    for (const state of (await this.#inspector.links(names)).values()) found.link(state);
    // Its routes go with a link: one that has gone meanwhile has none.
    const routes = await query(this.#program, found.names.map(showRoutesOf));
    for (const [i, dev] of found.names.entries()) {
      for (const element of routes[i]!) found.add(parseRoute(element, { dev }));
    }
    await this.#settings.read(found.names, (sysctl) => found.add(sysctl));
    return found.resources;
  }

  async apply(operations: readonly Operation<KernelResource>[]): Promise<readonly Outcome[]> {
    const pass = new Pass(this.#inspector);
    const outcomes: Outcome[] = [];
    for (const run of runs(operations)) {
      let verdicts: readonly Verdict[];
      try {
        verdicts = await this.#applyRun(run, pass);
      } catch (error) {
        const coded = asCoded(error);
        verdicts = run.operations.map(() => coded);
      }
      run.operations.forEach(({ key }, i) => {
        outcomes.push({ key, ...(verdicts[i] && { error: verdicts[i] }) });
      });
    }
    return outcomes;
  }

  #applyRun(run: ReturnType<typeof runs>[number], pass: Pass): Promise<readonly Verdict[]> {
    switch (run.kind) {
      case 'put-links':
        return this.#links.put(run.operations, pass);
      case 'remove-links':
        return this.#links.remove(run.operations, pass);
      case 'put-addresses':
        return this.#addresses.put(run.operations, pass);
      case 'remove-addresses':
        return this.#addresses.remove(run.operations);
      case 'routes':
        return this.#routes.apply(run.operations, pass);
      case 'sysctls':
        return this.#settings.apply(run.operations, pass);
      case 'sandbox-addresses':
        return this.#sandboxes.apply(run.operations);
    }
  }

  async resolve(addresses: readonly string[]): Promise<ReadonlyMap<string, Required<NextHop>>> {
    const ways = new Map<string, Required<NextHop>>();
    const distinct = [...new Set(addresses)];
    const answers = await query(this.#program, distinct.map(getRoute), /./);
    for (const [i, address] of distinct.entries()) {
      const way = parseWay(answers[i]![0]);
      if (way && !way.dev.startsWith(LINK_PREFIX)) ways.set(address, way);
    }
    return ways;
  }

  listeners(port?: number): Promise<readonly Listener[]> {
    return readListeners(this.#socketProgram, port);
  }

  sandboxAlive(path: string): boolean {
    return sandboxAlive(path);
  }

  watch(listener: (event: KernelEvent) => void): () => void {
    return this.#monitor.watch(listener);
  }

  async close(): Promise<void> {
    const parts = [this.#monitor, this.#sandboxes, this.#ip, this.#reaper];
    await Promise.all(parts.map((part) => part.close()));
  }
}

/** Resources by key as they are found. */
class Found {
  readonly resources = new Map<string, KernelResource>();
  readonly names: string[] = [];

  link(state: LinkState | undefined): void {
    if (!state || !isOwn(state)) return;
    this.names.push(state.name);
    this.add(linkResource(state));
    for (const address of addressResources(state)) this.add(address);
  }

  add(resource: KernelResource | undefined): void {
    if (resource) this.resources.set(kernelKey(resource), resource);
  }
}
