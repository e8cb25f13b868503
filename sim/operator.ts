import { transfersSince } from '../src/cluster/protocol/transfers.ts';
import { contentHash } from './check.ts';
import { Host, type SimulatedDisk } from './host.ts';
import { CALM } from './network.ts';
import { Split } from './split.ts';
import type { World } from './world.ts';

/** Hosts that there ever are in a story, or so many more than at its beginning. */
const HOSTS_MAX = 12;
const MORE_MAX = 5;
/** Operators that forget at the same time. */
const OPERATORS_MAX = 2;
/** So often is forgetting tried by hosts that do not know all others, before they are given up. */
const VAIN_MAX = 20;

/** Who adds machines, takes them away, buries those that will not return, and restores the wrong backups. */
export class Operator {
  readonly #world: World;
  #forgetting = 0;
  /** Nothing more befalls anybody. */
  #isOver = false;
  /** Attempts of hosts that do not know enough of the others, since all is well. */
  #vain = 0;
  readonly #beginners = new Set<Host>();
  readonly #snapshots = new Map<Host, SimulatedDisk>();
  /** Those that leave, or are about to. */
  readonly #leaving = new Set<Host>();

  constructor(world: World) {
    this.#world = world;
  }

  /** A new host asks to be let in, until it is. */
  join(): void {
    const { founded, hosts, counts } = this.#world;
    if (hosts.length >= Math.max(HOSTS_MAX, founded + MORE_MAX)) return;
    counts.joins++;
    this.#apply(this.#world.add());
  }

  /** A host gives back all that it has, and leaves. */
  leave(host: Host): void {
    const { ledger, timeline, workload } = this.#world;
    if (!host.up || this.#world.members().length < 3 || this.#isLast(host)) return;
    this.#leaving.add(host);
    for (const { value, tag } of ledger.of(host))
      if (!value.startsWith('prefix/')) workload.releaseOne(host, value, tag);
    let times = 0;
    const attempt = () => {
      const again = () => timeline.after(1000, attempt);
      if (host.dead) return;
      if (!host.up) return void again();
      const { leaving } = host.node.cluster;
      const stay = () =>
        leaving.stay((error) => {
          if (!error) this.#leaving.delete(host);
        });
      // It takes too long, and the operator wants the host back if that is possible.
      if (++times > 20) return stay();
      leaving.leave((error) => {
        // It may have begun when there were others.
        if (error?.code === 'NR_MEMBER_ALONE') stay();
        else again();
      });
    };
    timeline.after(3000, attempt);
  }

  /**
   * Whether a host cannot be shown how a record changed hands, as nobody is left who was there: it is to begin anew, as the
   * error says. Seals carry so little in some stories that it comes to that.
   */
  mayBeginAnew(host: Host, warning: object): boolean {
    const { what } = warning as { what?: string };
    const [, key] = /^(chunk\S*|treasury\S*) of .* went from hand to hand /.exec(what ?? '') ?? [];
    if (key === undefined) return false;
    const rank = (host.node.replica.version(key)?.rank ?? 0) + 1;
    const isShown = this.#world
      .members()
      .some(({ node }) => transfersSince(node.replica, key, rank, 1).length > 0);
    if (!isShown) this.#beginners.add(host);
    return !isShown;
  }

  /** Who has left is switched off; who was passed over as nobody knew of it yet has to begin anew. */
  dismiss(): void {
    const { hosts, counts, ledger } = this.#world;
    for (const host of hosts) {
      if (host.dead || host.tainted) continue;
      const halt = host.up ? host.node.cluster.standing.halted : undefined;
      const gone = this.#gone(host);
      if (gone === 'left') {
        counts.leaves++;
        const held = ledger.of(host).find(({ value }) => !value.startsWith('prefix/'));
        if (held) ledger.violation(`LEFT ${host.name}, although it has ${held.value} (${held.tag})`);
        this.#switchOff(host);
      } else if (halt === 'passed' && !this.#world.isComplete(host)) {
        counts.passedOver++;
        this.#switchOff(host);
        this.join();
      } else if (this.#beginners.delete(host)) {
        counts.begunAnew++;
        this.#switchOff(host);
        this.join();
        this.#beginForgetting();
      } else if (halt || gone) {
        ledger.violation(`HALTED ${host.name}: ${halt ?? gone}, and it has done nothing wrong`);
        this.#switchOff(host);
      }
    }
  }

  /** A host never comes back, or two, and somebody says so on others, until it is heard. */
  bury(): void {
    const { random, timeline } = this.#world;
    const lost = random.pick(this.#world.members().filter((host) => !host.spared));
    if (!lost || !this.#mayLose(lost)) return;
    this.#switchOff(lost);
    if (random.chance(0.3)) timeline.after(random.next() * 4000, () => this.join());
    const soon = random.next() * 2500;
    for (let operators = random.chance(0.6) ? 2 : 1; operators > 0; operators--)
      if (this.#forgetting < OPERATORS_MAX) {
        this.#forgetting++;
        // Two of them often at the same moment.
        timeline.after(random.chance(0.5) ? soon : random.next() * 2500, () => this.#forget());
      }
  }

  /** Keeps a backup of a host's disk. */
  backUp(host: Host): void {
    if (!host.dead && !host.tainted) this.#snapshots.set(host, host.disk.copy());
  }

  /** A host's disk is set back to a backup, while others can be reached that know of later writes. */
  rollBack(): void {
    const { counts, ledger, network, random } = this.#world;
    const [host, snapshot] = random.pick([...this.#snapshots].filter(([one]) => one.up && !one.dead)) ?? [];
    if (!host || !snapshot || !this.#world.isMember(host) || host.node.cluster.standing.leaving) return;
    if (this.#isLast(host)) return;
    this.#inCalm(() => {
      const before = snapshot.vector.get(host.id) ?? 0;
      const findWitness = () =>
        this.#others(host).find(
          (one) => one.node.replica.known(host.id) > before && isKnownOn(snapshot, one),
        );
      this.#world.settle(3000, () => findWitness() !== undefined);
      const witness = findWitness();
      if (!witness || !host.up || host.dead || !network.reaches(witness, host)) return;
      counts.rollbacks++;
      this.#snapshots.delete(host);
      this.#spare(witness, () => {
        host.crash();
        host.tainted = true;
        ledger.forfeited(host);
        host.disk = snapshot.copy();
        host.start();
        this.#expectHalt(host, 8000);
      });
      this.#switchOff(host);
      this.#beginForgetting();
    });
  }

  /** The disk of who gives chunks is set back, while nobody can be reached that knows what it has given since. */
  rollBackUnseen(): void {
    const { counts, hosts, random } = this.#world;
    this.#inCalm(() => {
      const isBusy = hosts.some((one) => (one.dead ? !this.#isForgotten(one) : !this.#world.isComplete(one)));
      const parts = this.#world.members().filter((one) => !this.#leaving.has(one));
      const giver = this.#world.byId(parts[0]?.node.cluster.ownership.treasury('tenant-default') ?? '');
      const first = random.pick(parts.filter((one) => one !== giver));
      const others = parts.filter((one) => one !== giver && one !== first);
      if (isBusy || !giver || !first || others.length < 2 || !this.#world.settle(30_000, areAlike)) return;
      for (const one of parts) one.reprieve();
      counts.unseenRollbacks++;
      const split = new Split(this.#world, giver, first, others);
      const keys = split.happen();
      counts.disputes += keys.length;
      this.#switchOff(giver);
      this.#beginForgetting();
      split.settle(keys);

      function areAlike(): boolean {
        return new Set(parts.filter(({ up }) => up).map(contentHash)).size === 1;
      }
    });
  }

  /** A host's disk is copied to a second machine, and both run. */
  clone(host: Host): void {
    const { random, counts, hosts, ledger } = this.#world;
    if (!host.up || !this.#world.isMember(host) || host.node.cluster.standing.leaving) return;
    if (host.node.cluster.standing.starting) return;
    const clone = new Host(`${host.name}b`, this.#world, host.disk.copy());
    if (hosts.some(({ name }) => name === clone.name)) return;
    this.#inCalm(() => {
      // Something else may have befallen it before all was calm.
      if (!host.up || host.dead || !this.#world.isMember(host)) return;
      counts.clones++;
      host.spared = true;
      host.reprieve();
      clone.admitted = true;
      if (random.chance(0.5)) {
        // Both at once: the second one finds the first one there.
        clone.tainted = true;
        this.#world.run(1000);
        const witness = this.#others(host).find(
          (one) => this.#world.network.isLinked(host, one) && isKnownOn(clone.disk, one),
        );
        if (witness) {
          this.#spare(witness, () => {
            this.#world.add(clone);
            this.#expectHalt(clone, random.chance(0.1) ? 250_000 : 5000, true);
          });
        }
        this.#scrap(clone);
      } else {
        // The copy takes the first one's place, and the first one comes back.
        host.crash();
        host.dead = true;
        clone.disk = host.disk.copy();
        ledger.moved(host, clone);
        this.#world.add(clone);
        clone.spared = true;
        const witness = () =>
          this.#others(clone).find(
            (one) => this.#world.network.isLinked(clone, one) && isKnownOn(host.disk, one),
          );
        this.#world.settle(5000, () => witness() !== undefined);
        host.tainted = true;
        host.dead = false;
        const there = witness();
        if (there) {
          this.#spare(there, () => {
            host.start();
            this.#expectHalt(host, 5000, true);
          });
        }
        this.#scrap(host);
        clone.spared = false;
      }
      host.spared = false;
    });
  }

  /** Sees to it that whoever is dead is forgotten. */
  finish(): void {
    this.#isOver = true;
    if (this.#forgetting === 0) this.#beginForgetting();
  }

  /** Those that are gone are switched on again: none of them gives anything before it is told so. */
  revive(): void {
    const { hosts, workload } = this.#world;
    const gone = hosts.filter((host) => host.dead && this.#isForgotten(host));
    for (const host of gone) {
      host.tainted = true;
      host.start();
    }
    for (let i = 0; i < 10; i++) {
      for (const host of gone) {
        workload.allocate(host);
        workload.claim(host, false);
      }
      this.#world.run(200);
    }
    for (const host of gone) {
      const { halted, starting } = host.node.cluster.standing;
      if (!halted && !starting) this.#world.ledger.violation(`UNAWARE ${host.name} that it is gone`);
      host.crash();
    }
  }

  /** A host has to halt, or at least to wait; that it gives nothing meanwhile is what the ledger sees. */
  #expectHalt(host: Host, ms: number, mayWait = false): void {
    const { workload, ledger } = this.#world;
    const standing = () => host.node.cluster.standing;
    for (let passed = 0; passed < ms && host.up && !standing().halted; passed += 100) {
      if (passed < 10_000) {
        workload.allocate(host);
        workload.claim(host, false);
        workload.step();
      }
      this.#world.run(100);
    }
    if (!host.up || standing().halted || (mayWait && ms < 100_000 && standing().starting)) return;
    ledger.violation(`UNAWARE ${host.name} of what was done to its disk`);
  }

  /** For a while all get through to all, as far as they run. */
  #inCalm(call: () => void): void {
    const { network, hosts } = this.#world;
    const { weather } = network;
    network.heal();
    network.weather = CALM;
    for (const host of hosts) if (!host.dead) host.start();
    this.#world.run(1500);
    call();
    network.weather = weather;
  }

  /** Nothing befalls a host for as long. */
  #spare(host: Host, call: () => void): void {
    host.spared = true;
    host.reprieve();
    call();
    host.spared = false;
  }

  /** Whether enough would be there without a host to forget it, and all others that are lost. */
  #mayLose(host: Host): boolean {
    const members = this.#world.members().filter((one) => !one.spared);
    const dead = this.#world.hosts.filter((one) => one.dead && !this.#isForgotten(one));
    const isMost = 2 * (dead.length + 1) < members.length + dead.length + 1;
    return members.length >= 3 && isMost && !this.#isLast(host);
  }

  /** Whether nobody but those that leave would be there without a host: nobody could forget the others. */
  #isLast(host: Host): boolean {
    const others = this.#world.members().filter((one) => one !== host && !this.#leaving.has(one));
    return !others.some((one) => this.#world.isComplete(one));
  }

  #others(host: Host): Host[] {
    return this.#world.members().filter((one) => one !== host && !one.node.cluster.standing.starting);
  }

  #gone(host: Host): string | undefined {
    for (const { up, dead, node } of this.#world.hosts.filter((one) => one.up && !one.tainted)) {
      const gone = up && !dead ? node.cluster.members.gone(host.id) : undefined;
      if (gone) return gone.how;
    }
    return undefined;
  }

  #isForgotten(host: Host): boolean {
    return this.#world.members().every((one) => !one.node.cluster.members.isPresent(host.id));
  }

  #switchOff(host: Host): void {
    host.crash();
    host.dead = true;
    host.tainted = true;
    this.#world.ledger.forfeited(host);
    this.#world.trace(host, () => 'is off for good');
  }

  /** A machine goes whose identity lives on in another one. */
  #scrap(host: Host): void {
    const { hosts } = this.#world;
    host.crash();
    host.dead = true;
    if (hosts.includes(host)) hosts.splice(hosts.indexOf(host), 1);
  }

  #apply(host: Host): void {
    const { timeline, network, random, hosts } = this.#world;
    if (host.dead || this.#world.isComplete(host)) return;
    // Once it is let in it hears all. If its sponsor has died over it, it has to ask again.
    timeline.after(host.admitted && host.up ? 5000 : 1200, () => this.#apply(host));
    if (!host.up) return;
    const gate = random.pick(hosts.filter((one) => one !== host && one.up && this.#world.isMember(one)));
    const sponsor = gate && this.#world.byId(gate.node.cluster.admission.sponsor ?? '');
    network.ask(host, sponsor, 'admit', { id: host.id, key: host.name }, 1000, (error, answer) => {
      if (!error && answer?.body && 'gone' in (answer.body as object)) host.admitted = true;
    });
  }

  #beginForgetting(): void {
    this.#forgetting++;
    this.#forget();
  }

  /** One operator's way to have the dead forgotten. */
  #forget(): void {
    const { random, timeline, hosts, counts } = this.#world;
    const again = () => timeline.after(500 + random.next() * 2000, () => this.#forget());
    const host = random.pick(this.#world.members().filter((one) => this.#world.isComplete(one)));
    if (!host) return void again();
    const { cluster } = host.node;
    // One that had left may be among them: whoever noted it died before anybody else heard.
    const dead = hosts.filter(
      (one) => one.dead && !hosts.some((other) => other.id === one.id && !other.dead),
    );
    const lost = dead.filter(({ id }) => cluster.members.isPresent(id));
    if (lost.length === 0) {
      // Others may know of one that this host has not heard of yet.
      if (dead.some((one) => !this.#isForgotten(one))) return void again();
      this.#forgetting--;
      return;
    }
    const one = random.pick(lost)!;
    const victims = random.chance(0.3) ? [one] : lost;
    const isHalf = 2 * victims.length >= cluster.members.present().length;
    // Who forces it has made sure that the host knows all others that may have something, also those that have not
    // heard yet that they may: the word of one that is dead now may be on its way to them.
    const mayHave = ({ id }: Host) =>
      hosts.some(({ disk }) => disk.get(`member/${id}`)?.text?.includes('"complete":true'));
    const knowsAll = hosts.every((one) => one.dead || !mayHave(one) || cluster.members.isPresent(one.id));
    if (isHalf && !knowsAll) {
      // It has promised to freeze a member that has let others in since, for one that is lost as well. They do not get its
      // promise, as it does not know them; it is for the operator to give it up.
      if (this.#isOver && ++this.#vain > VAIN_MAX && !this.#isLast(host)) {
        this.#world.counts.givenUp++;
        this.#switchOff(host);
      }
      return void again();
    }
    const { life } = host;
    let answered = false;
    const finish = (isDone: boolean) => {
      if (answered) return;
      answered = true;
      if (isDone) counts.forgets++;
      again();
    };
    // The operator's host may die meanwhile.
    timeline.after(40_000, () => finish(false));
    if (!this.#isOver && random.chance(0.15))
      timeline.after(random.next() * 300, () => this.#interrupt(host));
    const ids = victims.map(({ id }) => id);
    cluster.forgetting.forget(ids, isHalf, (error) => {
      if (host.life === life) finish(error === undefined);
    });
  }

  /** A coordinator dies half-way: at once, or at its next write, and comes back or not. */
  #interrupt(host: Host): void {
    if (host.spared || !host.up || this.#isOver) return;
    const { random, timeline } = this.#world;
    if (random.chance(0.3) && this.#mayLose(host)) return this.#switchOff(host);
    timeline.after(random.next() * 10_000, () => {
      if (!host.dead) host.start();
    });
    if (random.chance(0.5)) host.doom = random.chance(0.5) ? 'before' : 'after';
    else host.crash();
  }
}

/** Whether what is on a disk says of a host that it is a member: others cannot be asked what that disk has missed. */
function isKnownOn(disk: SimulatedDisk, { id }: Host): boolean {
  return disk.get(`member/${id}`)?.text !== undefined;
}
