import { setImmediate } from 'node:timers/promises';
import { asCoded, CodedError } from '../errors.ts';
import { parseIfname } from '../net/ifname.ts';
import { linkSysctls } from '../net/linksysctl.ts';
import {
  type HostFacts,
  type Kernel,
  type KernelEvent,
  type KernelResource,
  kernelKey,
  LINK_GROUP,
  LINK_PREFIX,
  type NextHop,
  ROUTE_PROTOCOL,
  type Sysctl,
} from '../ports/kernel.ts';
import type { Log } from '../ports/log.ts';
import type { Operation, Outcome } from '../ports/target.ts';
import { Addresses } from './addresses.ts';
import { sysctlPath } from './arguments.ts';
import { caught, type Verdict } from './attempt.ts';
import { getRoute, showRoutesOf } from './commands.ts';
import { Coprocess } from './coprocess.ts';
import { readFacts } from './facts.ts';
import { Inspector } from './inspector.ts';
import { Links } from './links.ts';
import { list } from './listing.ts';
import { Monitor } from './monitor.ts';
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
import { Sysctls } from './sysctl.ts';

export interface IprouteOptions {
  readonly log?: Log;
  /** The `ip` of iproute2. */
  readonly program?: string;
  /** Where /proc/sys is mounted writable. */
  readonly sysctlRoot?: string;
  /** How long the kernel may take for a group of commands, in milliseconds. */
  readonly timeout?: number;
}

/** Links whose settings are read in one go, between two looks at the event loop. */
const SLICE = 50;
/** From here on reading everything is cheaper than asking for each link. */
const MANY = 100;

/** The kernel of this process's network namespace, by iproute2 and /proc/sys. */
export class IprouteKernel implements Kernel {
  readonly #program: string;
  readonly #ip: Coprocess;
  readonly #reaper: Coprocess;
  readonly #inspector: Inspector;
  readonly #links: Links;
  readonly #addresses: Addresses;
  readonly #routes: Routes;
  readonly #sandboxes: Sandboxes;
  readonly #sysctls: Sysctls;
  readonly #monitor: Monitor;

  constructor({ log, program = 'ip', sysctlRoot, timeout }: IprouteOptions = {}) {
    const options = { command: [program], log, ...(timeout !== undefined && { timeout }) };
    this.#program = program;
    this.#ip = new Coprocess(options);
    this.#reaper = new Coprocess(options);
    this.#inspector = new Inspector(this.#ip, program);
    this.#sysctls = new Sysctls(sysctlRoot);
    this.#links = new Links(this.#ip, this.#reaper, this.#inspector, this.#sysctls.ipv6);
    this.#addresses = new Addresses(this.#ip, this.#inspector);
    this.#routes = new Routes(this.#ip, this.#inspector);
    this.#sandboxes = new Sandboxes(program, this.#inspector, log);
    this.#monitor = new Monitor(program, log);
    this.#ip.start();
    this.#reaper.start();
  }

  /** Ids of the helper processes, for tests. */
  get pids(): { readonly ip: number | undefined; readonly monitor: number | undefined } {
    return { ip: this.#ip.pid, monitor: this.#monitor.pid };
  }

  facts(): Promise<HostFacts> {
    return readFacts(this.#program);
  }

  async read(): Promise<ReadonlyMap<string, KernelResource>> {
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
    await this.#readSysctls(found);
    return found.resources;
  }

  async readLinks(names: readonly string[]): Promise<ReadonlyMap<string, KernelResource>> {
    if (names.length > MANY) return ofLinks(await this.read(), new Set(names));
    const found = new Found();
    for (const state of (await this.#inspector.links(names)).values()) found.link(state);
    await Promise.all(
      found.names.map(async (dev) => {
        // Its routes go with a link: one that has gone meanwhile has none.
        const elements = await this.#ip.read(showRoutesOf(dev)).catch(refusedAsNone);
        for (const element of elements) found.add(parseRoute(element, { dev }));
      }),
    );
    await this.#readSysctls(found);
    return found.resources;
  }

  async #readSysctls(found: Found): Promise<void> {
    for (let at = 0; at < found.names.length; at += SLICE) {
      for (const name of found.names.slice(at, at + SLICE)) {
        for (const wanted of linkSysctls(parseIfname(name))) {
          const moot = this.#sysctls.isMoot(wanted.path);
          const value = moot ? wanted.value : this.#sysctls.read(wanted.path);
          if (value !== undefined) found.add({ ...wanted, value });
        }
      }
      await setImmediate();
    }
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
        return this.#applySysctls(run.operations, pass);
      case 'sandbox-addresses':
        return this.#sandboxes.apply(run.operations);
    }
  }

  /** Those of different links at the same time, those of one in order. */
  async #applySysctls(operations: readonly Operation<Sysctl>[], pass: Pass): Promise<Verdict[]> {
    const links = operations.map(({ resource }) => caught(() => linkOf(resource.path)));
    const names = links.map(({ value }) => value).filter((name) => name !== undefined);
    const errors = await pass.verdicts(names);
    const verdicts: Verdict[] = [];
    const lanes = Map.groupBy(operations.keys(), (index) => links[index]?.value ?? '');
    const lane = async (indexes: readonly number[]) => {
      for (const index of indexes) {
        const { do: what, resource } = operations[index]!;
        const name = links[index]?.value;
        const barred = links[index]?.error ?? (name === undefined ? undefined : errors.get(name));
        if (what === 'remove') verdicts[index] = links[index]?.error;
        else
          verdicts[index] =
            barred ?? (await this.#sysctls.put(resource.path, resource.value).catch(asCoded)) ?? undefined;
      }
    };
    await Promise.all([...lanes.values()].map(lane));
    return verdicts;
  }

  async resolve(addresses: readonly string[]): Promise<ReadonlyMap<string, Required<NextHop>>> {
    const ways = new Map<string, Required<NextHop>>();
    await Promise.all(
      [...new Set(addresses)].map(async (address) => {
        const elements = await this.#ip.read(getRoute(address)).catch(refusedAsNone);
        const way = parseWay(elements[0]);
        if (way && !way.dev.startsWith(LINK_PREFIX)) ways.set(address, way);
      }),
    );
    return ways;
  }

  sandboxAlive(path: string): boolean {
    return sandboxAlive(path);
  }

  watch(listener: (event: KernelEvent) => void): () => void {
    return this.#monitor.watch(listener);
  }

  async close(): Promise<void> {
    await Promise.all([this.#monitor.close(), this.#ip.close(), this.#reaper.close()]);
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

/** What of a whole reading hangs on the named links. */
function ofLinks(all: ReadonlyMap<string, KernelResource>, names: ReadonlySet<string>) {
  const on = (resource: KernelResource): boolean => {
    switch (resource.kind) {
      case 'link':
        return names.has(resource.name);
      case 'address':
      case 'sandbox-address':
        return names.has(resource.link);
      case 'route':
        return resource.nextHops.length === 1 && names.has(resource.nextHops[0]?.dev ?? '');
      case 'sysctl':
        return names.has(linkOf(resource.path) ?? '');
    }
  };
  return new Map([...all].filter(([, resource]) => on(resource)));
}

/** The link of ours that a setting belongs to, if any. @throws NR_KERNEL_ARGUMENT */
function linkOf(path: string): string | undefined {
  const [, , , name] = sysctlPath(path);
  return name?.startsWith(LINK_PREFIX) ? name : undefined;
}

function refusedAsNone(error: unknown): [] {
  if (error instanceof CodedError && error.code === 'NR_KERNEL_REFUSED') return [];
  throw error;
}
