/**
 * Several Docker hosts on one machine, behind a fabric router: for users, tests and demonstrations alike.
 *
 *     const lab = await Lab.up({ name: 'mine', hosts: 2 });
 *     try {
 *       await lab.host('h1').must(['docker', 'run', '--rm', 'busybox:local', 'ip', 'address']);
 *     } finally {
 *       await lab.down();
 *     }
 */
import { clearLab, endHost, exists } from './clear.ts';
import { LabError } from './errors.ts';
import { callNeighbours, startFrr } from './frr.ts';
import { Host } from './host.ts';
import { type Birth, begin } from './namespace.ts';
import { alive, type ProcessId } from './process.ts';
import { releaseRoot } from './release.ts';
import { alone, checkName, type Plan, readState, type State, writeState } from './state.ts';
import { connectHosts, connectOut, hostNames, outName, torName, underlay } from './topology.ts';

/** What a lab is to be; what is left out stays as it is in a running lab. */
export interface LabOptions extends Partial<Plan> {
  /** Several labs can run side by side under different names. */
  name?: string | undefined;
  /** Told what is being done, a line at a time. */
  say?: ((line: string) => void) | undefined;
}

/** Name of the lab when none is given. */
export const defaultName = 'lab';

const defaults: Plan = {
  hosts: 3,
  engine: 'gobgp',
  docker: true,
  daemon: true,
  dockerArgs: [],
  daemonArgs: [],
  hostDaemonArgs: {},
};

const lockTimeoutMs = 120_000;

/** A running lab. */
export class Lab {
  readonly #state: State;
  readonly #say: (line: string) => void;

  private constructor(state: State, say: (line: string) => void) {
    this.#state = state;
    this.#say = say;
  }

  /** Makes a lab, or completes the running one of this name; remains of a crash are cleared away first. */
  static async up(options: LabOptions = {}): Promise<Lab> {
    const { name = defaultName, say = () => undefined, ...wanted } = options;
    checkName(name);
    return alone(`lab ${name}`, lockTimeoutMs, async () => {
      let state = readState(name);
      if (state?.phase !== 'up' && exists(name)) {
        say(`lab ${name}: clearing away what an interrupted command left`);
        await clearLab(name);
        state = undefined;
      }
      const plan = merge(state?.plan ?? defaults, wanted);
      if (state) checkChange(name, state.plan, plan);
      const lab = new Lab(state ? { ...state, plan } : { name, phase: 'making', plan, inits: {} }, say);
      try {
        await lab.#complete();
      } catch (error) {
        // A half-made lab serves nobody; one that ran before is left for its owner to look into.
        if (!state) await clearLab(name);
        throw error;
      }
      return lab;
    });
  }

  /** The running lab of this name; undefined when there is none. */
  static find(name = defaultName): Lab | undefined {
    const state = readState(checkName(name));
    return state?.phase === 'up' ? new Lab(state, () => undefined) : undefined;
  }

  /** Removes a lab in whatever state; no error when there is none. Says whether there was one. */
  static async down(name = defaultName): Promise<boolean> {
    checkName(name);
    return alone(`lab ${name}`, lockTimeoutMs, async () => {
      const there = exists(name);
      if (there) await clearLab(name);
      return there;
    });
  }

  get name(): string {
    return this.#state.name;
  }

  get plan(): Readonly<Plan> {
    return this.#state.plan;
  }

  /** The Docker hosts, h1 first. */
  get hosts(): Host[] {
    return hostNames(this.plan.hosts).map((name) => this.host(name));
  }

  /** The fabric router: FRR. */
  get tor(): Host {
    return this.host(torName);
  }

  /** The plain host behind the fabric router. */
  get out(): Host {
    return this.host(outName);
  }

  /** A host by name. */
  host(name: string): Host {
    const known = [...hostNames(this.plan.hosts), torName, outName];
    if (!known.includes(name))
      throw new LabError(`lab ${this.name} has no host "${name}"; it has ${known.join(', ')}`);
    const { plan, inits } = this.#state;
    return new Host(name, {
      lab: this.name,
      init: () => inits[name] as ProcessId,
      reboot: () => this.#reboot(name),
      dockerArgs: plan.dockerArgs,
      daemonArgs: daemonArgs(plan, name),
    });
  }

  /** Removes this lab. */
  async down(): Promise<void> {
    await Lab.down(this.name);
  }

  /** Makes whatever of the plan is not there. */
  async #complete(): Promise<void> {
    const { plan, name } = this.#state;
    writeState(this.#state);
    const root = await releaseRoot(plan.release, this.#say);
    const docker = hostNames(plan.hosts);
    const missing = [torName, outName, ...docker].filter((host) => !this.#runs(host));
    // Links end with either of their ends: a new router means new links for all.
    const rewire = missing.includes(torName) ? [outName, ...docker] : missing;
    if (missing.length > 0) {
      this.#say(`lab ${name}: starting ${missing.join(', ')}`);
      await Promise.all(missing.map((host) => this.#begin(host, root)));
    }
    await this.#wire(rewire);
    this.#say(`lab ${name}: waiting for FRR on ${torName}${services(plan)}`);
    const serving = [this.#route(), ...docker.map((host) => this.#serve(host))];
    // All of them have to be over before anybody clears up after a failure.
    const failed = (await Promise.allSettled(serving)).find((one) => one.status === 'rejected');
    if (failed) throw failed.reason;
    this.#state.phase = 'up';
    writeState(this.#state);
  }

  #runs(host: string): boolean {
    const init = this.#state.inits[host];
    return init !== undefined && alive(init);
  }

  #home(host: string) {
    return { lab: this.name, host, init: this.#state.inits[host] as ProcessId };
  }

  async #begin(host: string, root: string | undefined): Promise<void> {
    const role: Birth['role'] = host === torName ? 'router' : host === outName ? 'plain' : 'host';
    await endHost(this.name, host, this.#state.inits[host]);
    await begin({ lab: this.name, host, role, root }, (init) => {
      this.#state.inits[host] = init;
      writeState(this.#state);
    });
  }

  async #wire(names: string[]): Promise<void> {
    const tor = this.#state.inits[torName] as ProcessId;
    const docker = names.filter((name) => name !== outName && name !== torName);
    await connectHosts(
      tor,
      Object.fromEntries(docker.map((name) => [name, this.#state.inits[name] as ProcessId])),
    );
    if (names.includes(outName)) await connectOut(tor, this.#state.inits[outName] as ProcessId);
  }

  async #route(): Promise<void> {
    const tor = this.#home(torName);
    await startFrr(tor, 'tor.conf');
    const hosts = hostNames(this.plan.hosts).map((name) => underlay(name).host4);
    await callNeighbours(tor, hosts);
  }

  /** Plugins first, then Docker: dockerd waits for a plugin that is not there. */
  async #serve(name: string): Promise<void> {
    const host = this.host(name);
    if (this.plan.daemon) await host.startDaemon();
    if (this.plan.docker) await host.startDocker();
  }

  async #reboot(name: string): Promise<void> {
    await alone(`lab ${this.name}`, lockTimeoutMs, async () => {
      await this.#begin(name, await releaseRoot(this.plan.release, this.#say));
      await this.#wire(name === torName ? [outName, ...hostNames(this.plan.hosts)] : [name]);
      if (name === torName) await this.#route();
      else if (name !== outName) await this.#serve(name);
    });
  }
}

const services = (plan: Plan): string =>
  [plan.daemon ? ', net-routed' : '', plan.docker ? ', dockerd on the hosts' : ''].join('');

/** Arguments of one host's daemon. */
const daemonArgs = (plan: Plan, host: string): string[] => [
  ...plan.daemonArgs,
  ...(plan.hostDaemonArgs[host] ?? []),
];

/** The base with what is wanted laid over it. */
function merge(base: Plan, wanted: Partial<Plan>): Plan {
  const given = Object.entries(wanted).filter(([, value]) => value !== undefined);
  const plan = { ...base, ...Object.fromEntries(given) } as Plan;
  if (!Number.isInteger(plan.hosts) || plan.hosts < 1 || plan.hosts > 200)
    throw new LabError(`a lab has 1 to 200 hosts, not ${plan.hosts}`);
  return plan;
}

/** A running lab can grow; anything else needs a new one. */
function checkChange(name: string, now: Plan, wanted: Plan): void {
  if (wanted.hosts < now.hosts || wanted.release !== now.release || wanted.engine !== now.engine)
    throw new LabError(
      `lab ${name} is up with ${now.hosts} hosts, engine ${now.engine}, release ${now.release ?? 'of this machine'}; ` +
        'take it down first to have another',
    );
}
