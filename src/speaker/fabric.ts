import { Address } from '../net/address.ts';
import { Prefix } from '../net/prefix.ts';
import type { Announcement, Peer, PeerState } from '../ports/speaker.ts';
import { markOf } from './holder.ts';
import { matches, rangeOf, within } from './rules.ts';
import type { LearnedPath } from './selection.ts';

/** What a speaker of the fabric lets the others see. */
export interface Member {
  readonly asn: number;
  readonly routerId: string;
  readonly running: boolean;
  readonly peers: readonly Peer[];
  readonly announcements: readonly Announcement[];
  readonly pools: readonly Prefix[];
}

/** Who is wired to others: a memory speaker, as far as the fabric deals with it. */
export interface Wired {
  readonly member: Member;
  /** Crashed, and not told its peers again since. */
  readonly recovering: boolean;
  /** Something in the fabric changed. */
  look(): void;
}

interface Port {
  readonly speaker: Wired;
  readonly addresses: readonly string[];
  /** Interfaces with somebody behind, and the link-local address there. */
  readonly links: Map<string, { readonly to: Port; readonly address: string }>;
}

/** What one end of a session sees. */
export interface End {
  readonly peer: Peer;
  readonly state: PeerState['state'];
  readonly routerId?: string;
  readonly reason?: string;
  readonly received: number;
  readonly advertised: number;
  readonly paths: readonly LearnedPath[];
}

/** The wires between memory speakers: who reaches whom, and what passes. */
export class MemoryFabric {
  readonly #ports = new Map<Wired, Port>();
  /** What a peer told before it crashed, kept as graceful restart has it. */
  readonly #kept = new Map<string, readonly LearnedPath[]>();
  /** Sessions that ended because of too many prefixes, and stay so until the peer is put anew. */
  readonly #cut = new WeakMap<Peer, string>();

  attach(speaker: Wired, addresses: readonly string[]): void {
    this.#ports.set(speaker, { speaker, addresses, links: new Map() });
  }

  /** A cable between two interfaces. */
  wire(a: Wired, atA: string, b: Wired, atB: string): void {
    const [portA, portB] = [this.#ports.get(a)!, this.#ports.get(b)!];
    portA.links.set(atA, { to: portB, address: `fe80::${this.#ports.size}b` });
    portB.links.set(atB, { to: portA, address: `fe80::${this.#ports.size}a` });
  }

  /** Something of a speaker changed: everyone looks again. */
  changed(): void {
    for (const speaker of this.#ports.keys()) speaker.look();
  }

  /** The sessions of a speaker, one for each peer that it has. */
  ends(speaker: Wired): End[] {
    const port = this.#ports.get(speaker);
    return speaker.member.peers.map((peer) => this.#end(port, peer));
  }

  #end(port: Port | undefined, peer: Peer): End {
    const other = port && this.#otherEnd(port, peer);
    const none = { peer, received: 0, advertised: 0 };
    const key = port ? `${port.speaker.member.routerId} ${peer.address ?? peer.interface}` : '';
    const back = other && this.#answers(port, peer, other.port);
    if (!other || !back) {
      // Somebody who crashed is still waited for; somebody who ended the session is not.
      const crashed = other && (!other.port.speaker.member.running || other.port.speaker.recovering);
      if (!crashed || peer.gracefulRestart === 0) this.#kept.delete(key);
      return { ...none, state: 'active', reason: 'no connection', paths: this.#kept.get(key) ?? [] };
    }
    const told = this.#told(other.port, back, peer, other.address);
    const imports = peer.import.map((rule) => rangeOf(rule));
    const accepted = told.filter(({ prefix }) => matches(imports, parsed(prefix)));
    const cut = this.#cut.get(peer) ?? this.#cut.get(back) ?? this.#excess(peer, told);
    if (cut) return { ...none, state: 'idle', reason: cut, paths: [] };
    this.#kept.set(key, accepted);
    const advertised = this.#told(port, peer, back, '').length;
    const routerId = other.port.speaker.member.routerId;
    return { peer, state: 'established', routerId, received: told.length, advertised, paths: accepted };
  }

  #otherEnd(port: Port, peer: Peer): { port: Port; address?: string } | undefined {
    if (peer.interface !== undefined) {
      const link = port.links.get(peer.interface);
      return link && { port: link.to, address: link.address };
    }
    const found = [...this.#ports.values()].find(({ addresses }) => addresses.includes(peer.address!));
    return found && { port: found };
  }

  /** The other side's configuration for us, if it lets a session come about. */
  #answers(port: Port, peer: Peer, other: Port): Peer | undefined {
    const [a, b] = [port.speaker.member, other.speaker.member];
    if (!a.running || !b.running) return undefined;
    return b.peers.find((back) => {
      const meant =
        back.interface === undefined
          ? back.address === localOf(port, peer) && peer.address === localOf(other, back)
          : peer.interface !== undefined && other.links.get(back.interface)?.to === port;
      const agreed =
        back.peerAs === peer.localAs && peer.peerAs === back.localAs && back.password === peer.password;
      return meant && agreed && !(back.passive && peer.passive);
    });
  }

  /**
   * What the speaker at a port tells the peer that it knows as `mine`, which knows it as `theirs`. `seen`: through whom
   * it was looked for already.
   */
  #told(
    port: Port,
    mine: Peer,
    theirs: Peer,
    linkLocal: string | undefined,
    seen: ReadonlySet<Port> = new Set(),
  ): LearnedPath[] {
    const from = port.speaker.member;
    const ranges = within(
      mine.export.map((rule) => rangeOf(rule)),
      from.pools,
    );
    const internal = mine.peerAs === mine.localAs;
    const own = from.announcements
      .filter(({ prefix }) => matches(ranges, parsed(prefix)))
      .map(({ prefix, nextHop, anycast }) => ({
        prefix,
        source: from.routerId,
        nextHops: [
          theirs.interface !== undefined && linkLocal !== undefined
            ? { via: linkLocal, dev: theirs.interface }
            : { via: nextHop },
        ],
        asPath: internal ? [] : [mine.localAs],
        localPreference: 100,
        origin: 2,
        med: 0,
        internal,
        communities: markOf(from.asn, from.routerId, anycast),
      }));
    return mine.mesh === 'client' ? [...own, ...this.#passed(port, mine, seen)] : own;
  }

  /** What goes on to a client: the best of what the mesh's other peers tell, with the next hop as it came. */
  #passed(port: Port, mine: Peer, seen: ReadonlySet<Port>): LearnedPath[] {
    const from = port.speaker.member;
    const internal = mine.peerAs === mine.localAs;
    const through = new Set([...seen, port]);
    const best = new Map<string, LearnedPath>();
    for (const peer of from.peers) {
      if (peer.mesh === undefined || peer === mine) continue;
      const other = this.#otherEnd(port, peer);
      const back = other && !seen.has(other.port) && this.#answers(port, peer, other.port);
      if (!other || !back) continue;
      const imports = peer.import.map((rule) => rangeOf(rule));
      for (const path of this.#told(other.port, back, peer, undefined, through)) {
        if (!matches(imports, parsed(path.prefix)) || path.asPath.includes(peer.localAs)) continue;
        const known = best.get(path.prefix);
        if (!known || path.asPath.length < known.asPath.length) best.set(path.prefix, path);
      }
    }
    for (const { prefix } of from.announcements) best.delete(prefix);
    const exports = within(
      mine.export.map((rule) => rangeOf(rule)),
      EVERYTHING,
    );
    return [...best.values()]
      .filter(({ prefix, asPath }) => matches(exports, parsed(prefix)) && !asPath.includes(mine.peerAs))
      .map((path) => ({
        ...path,
        source: from.routerId,
        asPath: internal ? path.asPath : [mine.localAs, ...path.asPath],
        internal,
      }));
  }

  #excess(peer: Peer, told: readonly LearnedPath[]): string | undefined {
    if (peer.maximumPrefix === 0) return undefined;
    const count = (six: boolean) => told.filter(({ prefix }) => prefix.includes(':') === six).length;
    if (Math.max(count(true), count(false)) <= peer.maximumPrefix) return undefined;
    const reason = `announced more than ${peer.maximumPrefix} prefixes`;
    this.#cut.set(peer, reason);
    return reason;
  }
}

/** The address that a speaker has towards a peer: the one asked for, or its own on the same subnet, or its first. */
function localOf({ addresses }: Port, peer: Peer): string | undefined {
  if (peer.localAddress !== undefined || peer.address === undefined) return peer.localAddress;
  const to = Address.parse(peer.address);
  const subnet = Prefix.around(to, to.family === 4 ? 24 : 64);
  const mine = addresses.filter((address) => Address.parse(address).family === to.family);
  return mine.find((address) => subnet.contains(Address.parse(address))) ?? mine[0];
}

/** Parsing the same ten thousand again and again takes most of the time. */
function parsed(text: string): Prefix {
  let prefix = PARSED.get(text);
  if (!prefix) {
    prefix = Prefix.parse(text);
    PARSED.set(text, prefix);
  }
  return prefix;
}

const EVERYTHING = ['0.0.0.0/0', '::/0'].map((text) => Prefix.parse(text));

const PARSED = new Map<string, Prefix>();
