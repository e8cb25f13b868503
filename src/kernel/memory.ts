import { CodedError } from '../errors.ts';
import {
  type HostFacts,
  type Kernel,
  type KernelEvent,
  type KernelResource,
  kernelKey,
  type LinkAddress,
  type Listener,
  type NextHop,
  type Route,
  type SandboxAddress,
  type Sysctl,
  type VethLink,
} from '../ports/kernel.ts';
import type { Operation, Outcome } from '../ports/target.ts';
import { caught } from './attempt.ts';
import { commandsOf } from './commands.ts';
import { MemoryHost } from './memoryhost.ts';
import { ofLinks } from './oflinks.ts';
import { linkOf } from './settings.ts';

/**
 * A kernel that moves no packet: for tests, which can make it fail. It knows of devices, sources and neighbours what
 * decides whether the real one would take a resource.
 */
export class MemoryKernel implements Kernel {
  /** What is there that is not ours, for tests to plant. */
  readonly host = new MemoryHost();
  /** Each call of apply, in order. */
  readonly applied: (readonly Operation<KernelResource>[])[] = [];
  /** Set to make every call fail. */
  unavailable: CodedError | undefined;
  /** What facts answers. */
  hostFacts: HostFacts = { incarnation: 'memory', addresses: [] };
  /** What resolve knows. */
  readonly ways = new Map<string, Required<NextHop>>();
  readonly #resources = new Map<string, KernelResource>();
  readonly #failures = new Map<string, CodedError[]>();
  readonly #listeners = new Set<(event: KernelEvent) => void>();

  async facts(): Promise<HostFacts> {
    if (this.unavailable) throw this.unavailable;
    return this.hostFacts;
  }

  async read(): Promise<ReadonlyMap<string, KernelResource>> {
    if (this.unavailable) throw this.unavailable;
    return new Map(this.#resources);
  }

  async readLinks(names: readonly string[]): Promise<ReadonlyMap<string, KernelResource>> {
    return ofLinks(await this.read(), new Set(names));
  }

  async apply(operations: readonly Operation<KernelResource>[]): Promise<readonly Outcome[]> {
    this.applied.push(operations);
    const failed = new Map<string, CodedError>();
    return operations.map((operation) => {
      const error = this.unavailable ?? caught(() => this.#carryOut(operation, failed)).error;
      const { resource } = operation;
      if (error && resource.kind === 'link') failed.set(resource.name, error);
      return { key: operation.key, ...(error && { error }) };
    });
  }

  async resolve(addresses: readonly string[]): Promise<ReadonlyMap<string, Required<NextHop>>> {
    if (this.unavailable) throw this.unavailable;
    return new Map([...this.ways].filter(([address]) => addresses.includes(address)));
  }

  async listeners(port?: number): Promise<readonly Listener[]> {
    if (this.unavailable) throw this.unavailable;
    return this.host.listeners.filter((one) => port === undefined || one.port === port);
  }

  sandboxAlive(path: string): boolean {
    return this.host.sandboxes.has(path);
  }

  watch(listener: (event: KernelEvent) => void): () => void {
    const entry = (event: KernelEvent) => listener(event);
    this.#listeners.add(entry);
    setImmediate(() => this.#listeners.has(entry) && caught(() => entry({ kind: 'overrun' })));
    return () => this.#listeners.delete(entry);
  }

  async close(): Promise<void> {
    this.#listeners.clear();
  }

  /** Makes the next operation on a key fail; several times, one after the other. */
  failNext(key: string, error = new CodedError('NR_KERNEL_REFUSED', `refused ${key} as told`)): void {
    this.#failures.set(key, [...(this.#failures.get(key) ?? []), error]);
  }

  /** Tells the listeners, as if it had happened outside. */
  emit(event: KernelEvent): void {
    for (const listener of [...this.#listeners]) caught(() => listener(event));
  }

  /** Deletes one of our links as somebody else would, with all that hangs on it. */
  vanish(name: string): void {
    this.#deleteLink(name);
  }

  /** Changes or removes a resource of ours as somebody else would, in silence. */
  tamper(key: string, resource?: KernelResource): void {
    if (resource) this.#resources.set(key, resource);
    else this.#resources.delete(key);
  }

  #carryOut(operation: Operation<KernelResource>, failed: ReadonlyMap<string, CodedError>): void {
    commandsOf(operation); // for its checks
    const failure = this.#failures.get(operation.key)?.shift();
    if (failure) throw failure;
    const { resource } = operation;
    const barred = operation.do === 'put' && usedLinks(resource).map((name) => failed.get(name));
    for (const error of barred || []) if (error) throw error;
    if (resource.kind === 'sandbox-address') this.#sandboxAddress(operation.do, resource);
    else if (operation.do === 'remove') this.#remove(resource);
    else this.#put(resource);
  }

  #put(resource: Exclude<KernelResource, SandboxAddress>): void {
    if (resource.kind === 'link') this.#putLink(resource);
    else if (resource.kind === 'address') this.#putAddress(resource);
    else if (resource.kind === 'route') this.#putRoute(resource);
    else this.#putSysctl(resource);
  }

  #putLink(resource: VethLink): void {
    const { name, peer } = resource;
    for (const one of [name, peer]) if (this.host.links.has(one)) throw foreign(one);
    const isNew = !this.#resources.has(kernelKey(resource));
    this.#add(resource);
    if (isNew) for (const sysctl of this.host.defaultSysctls(name)) this.#add(sysctl);
    this.emit({ kind: 'link', name, gone: false });
  }

  #putAddress(resource: LinkAddress): void {
    const { link, address } = resource;
    this.#requireLink(link);
    if (this.host.addresses.has(`${link} ${address}`)) throw foreign(`${address} of ${link}`);
    this.#add(resource);
    this.emit({ kind: 'address', link });
  }

  #putRoute(route: Route): void {
    const key = kernelKey(route);
    if (this.host.routes.has(key)) throw foreign(key);
    const own = (name: string) => this.#resources.has(`link ${name}`);
    const several = route.nextHops.length > 1;
    for (const { via, dev = '' } of route.nextHops) {
      if (!own(dev) && !this.host.links.has(dev)) throw refused(`Cannot find device "${dev}"`);
      if (several && via === undefined && route.prefix.includes(':')) throw refused('device only routes');
    }
    if (route.src !== undefined && !this.#isLocal(route.src)) throw refused('Invalid source address');
    this.#add(route);
    this.emit({ kind: 'route', prefix: route.prefix, gone: false });
  }

  #isLocal(address: string): boolean {
    const own = [...this.#resources.values()].filter((one) => one.kind === 'address');
    const all = [...own, ...[...this.host.links.values()].flatMap(({ addresses }) => addresses)];
    return all.some((one) => (typeof one === 'string' ? one : one.address).split('/')[0] === address);
  }

  #putSysctl(resource: Sysctl): void {
    const name = linkOf(resource.path);
    if (name === undefined) {
      this.host.putSysctl(resource);
      return;
    }
    this.#requireLink(name);
    if (!this.#resources.has(kernelKey(resource))) throw refused(`there is no setting ${resource.path}`);
    this.#add(resource);
  }

  #remove(resource: Exclude<KernelResource, SandboxAddress>): void {
    if (resource.kind === 'link') this.#deleteLink(resource.name);
    // Settings go with their link, and this has taken away the others.
    if (resource.kind === 'link' || resource.kind === 'sysctl') return;
    if (!this.#resources.delete(kernelKey(resource))) return;
    if (resource.kind === 'route') this.emit({ kind: 'route', prefix: resource.prefix, gone: true });
    else this.emit({ kind: 'address', link: resource.link });
  }

  #deleteLink(name: string): void {
    if (!this.#resources.delete(`link ${name}`)) return;
    for (const [key, resource] of this.#resources) {
      if (resource.kind !== 'link' && usedLinks(resource).includes(name)) this.#resources.delete(key);
    }
    for (const sandbox of this.host.sandboxes.values()) sandbox.delete(name);
    this.emit({ kind: 'link', name, gone: true });
  }

  #sandboxAddress(what: 'put' | 'remove', { sandbox, link, address }: SandboxAddress): void {
    const inside = this.host.sandboxes.get(sandbox);
    const addresses = inside?.get(link);
    if (what === 'remove') {
      addresses?.delete(address);
      return;
    }
    if (!inside) throw new CodedError('NR_SANDBOX_GONE', `the sandbox ${sandbox} has ended`);
    this.#requireLink(link);
    if (!addresses) throw refused(`the other end of ${link} is not in its sandbox yet`);
    addresses.add(address);
  }

  #requireLink(name: string): void {
    if (this.host.links.has(name)) throw foreign(name);
    if (!this.#resources.has(`link ${name}`)) throw refused(`there is no interface ${name}`);
  }

  #add(resource: KernelResource): void {
    this.#resources.set(kernelKey(resource), resource);
  }
}

/** The interfaces that a resource cannot be without, its own if it is a link apart. */
function usedLinks(resource: KernelResource): string[] {
  switch (resource.kind) {
    case 'link':
      return [];
    case 'route':
      return resource.nextHops.map(({ dev = '' }) => dev);
    case 'sysctl':
      return [linkOf(resource.path) ?? ''];
    default:
      return [resource.link];
  }
}

function foreign(what: string): CodedError {
  return new CodedError('NR_FOREIGN_OBJECT', `${what} is not ours`);
}

function refused(what: string): CodedError {
  return new CodedError('NR_KERNEL_REFUSED', what);
}
