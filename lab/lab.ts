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

import { type Birth, begin } from './birth.ts';
import { clearLab, endHost, exists } from './clear.ts';
import { formCluster } from './cluster.ts';
import { torPeer } from './daemon.ts';
import { LabError } from './errors.ts';
import { callNeighbours, startFrr } from './frr.ts';
import { Host } from './host.ts';
import { checkChange, daemonArgs, defaults, merge, type Plan, peeringArgs } from './plan.ts';
import { alive, type ProcessId } from './process.ts';
import { releaseRoot } from './release.ts';
import { alone, checkName, readState, type State, writeState } from './state.ts';
import { connectHosts, connectOut, hostNames, outName, torName, underlay } from './topology.ts';
import { all } from './wait.ts';

/** What a lab is to be; what is left out stays as it is in a running lab. */
export interface LabOptions extends Partial<Plan> {
  /** Several labs can run side by side under different names. */
  name?: string | undefined;
  /** Told what is being done, a line at a time. */
  say?: ((line: string) => void) | undefined;
}

/** Name of the lab when none is given. */
export const defaultName = 'lab';

const lockTimeoutMs = 120_000;

/** A running lab. */
export class Lab {
  readonly name: string;
  readonly #say: (line: string) => void;

  private constructor(name: string, say: (line: string) => void) {
    this.name = name;
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
      // Written down before anything is made, so that whoever comes after a crash knows what to clear away.
      writeState(state ? { ...state, plan } : { name, phase: 'making', plan, inits: {}, wired: [] });
      const lab = new Lab(name, say);
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
    return readState(checkName(name))?.phase === 'up' ? new Lab(name, () => undefined) : undefined;
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

  get plan(): Readonly<Plan> {
    return this.#state.plan;
  }

  /** As written down now: other commands, and other objects like this one, may have changed the lab. */
  get #state(): State {
    const state = readState(this.name);
    if (!state) throw new LabError(`lab ${this.name} is not up`);
    return state;
  }

  #init(host: string): ProcessId {
    const init = this.#state.inits[host];
    if (!init) throw new LabError(`host ${host} has never been started`);
    return init;
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
    const { plan } = this;
    return new Host(name, {
      lab: this.name,
      init: () => this.#init(name),
      reboot: () => this.#reboot(name),
      dockerArgs: plan.dockerArgs,
      peerArgs: [...(plan.link === 'shared' ? [] : torPeer(name)), ...peeringArgs(plan)],
      daemonArgs: daemonArgs(plan, name),
    });
  }

  /** Removes this lab. */
  async down(): Promise<void> {
    await Lab.down(this.name);
  }

  /** Makes whatever of the plan is not there. */
  async #complete(): Promise<void> {
    const { plan, name } = this;
    const root = await releaseRoot(plan.release, this.#say);
    const docker = hostNames(plan.hosts);
    const missing = [torName, outName, ...docker].filter((host) => !this.#runs(host));
    if (missing.length > 0) {
      this.#say(`lab ${name}: starting ${missing.join(', ')}`);
      await all(missing.map((host) => this.#begin(host, root)));
    }
    await this.#wire();
    this.#say(`lab ${name}: waiting for FRR on ${torName}${services(plan)}`);
    await all([this.#route(), ...docker.map((host) => this.#serve(host))]);
    if (plan.daemon && plan.cluster) await formCluster(this.hosts, this.#say);
    this.#note({ phase: 'up' });
  }

  #runs(host: string): boolean {
    const init = this.#state.inits[host];
    return init !== undefined && alive(init);
  }

  #home(host: string) {
    return { lab: this.name, host, init: this.#init(host) };
  }

  async #begin(host: string, root: string | undefined): Promise<void> {
    const role: Birth['role'] = host === torName ? 'router' : host === outName ? 'plain' : 'host';
    await endHost(this.name, host, this.#state.inits[host]);
    const { wired } = this.#state;
    // A link ends with either of its ends: a new router means new links for all.
    this.#note({ wired: host === torName ? [] : wired.filter((name) => name !== host) });
    await begin({ lab: this.name, host, role, root }, (init) =>
      this.#note({ inits: { ...this.#state.inits, [host]: init } }),
    );
  }

  /** Connects the hosts that have no link to the fabric router. */
  async #wire(): Promise<void> {
    const tor = this.#init(torName);
    const { wired } = this.#state;
    const docker = hostNames(this.plan.hosts).filter((name) => !wired.includes(name));
    const inits = Object.fromEntries(docker.map((name) => [name, this.#init(name)]));
    await connectHosts(tor, inits, this.plan.link);
    if (!wired.includes(outName)) await connectOut(tor, this.#init(outName));
    this.#note({ wired: [...hostNames(this.plan.hosts), outName] });
  }

  #note(change: Partial<State>): void {
    writeState({ ...this.#state, ...change });
  }

  async #route(): Promise<void> {
    const tor = this.#home(torName);
    await startFrr(tor, 'tor.conf');
    if (this.plan.link === 'shared') return;
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
      await this.#wire();
      if (name === torName) await this.#route();
      else if (name !== outName) await this.#serve(name);
    });
  }
}

const services = (plan: Plan): string =>
  [plan.daemon ? ', net-routed' : '', plan.docker ? ', dockerd on the hosts' : ''].join('');
