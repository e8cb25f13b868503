import { isDeepStrictEqual } from 'node:util';
import { asCoded, CodedError } from '../../errors.ts';
import { Prefix } from '../../net/prefix.ts';
import { type Peer, speakerKey } from '../../ports/speaker.ts';
import type { Operation } from '../../ports/target.ts';
import { checkPeer } from '../check.ts';
import type { Permit } from '../permit.ts';
import { matches, rangeOf, within } from '../rules.ts';
import type { Api } from './api.ts';
import { neighborBehind } from './neighbor.ts';
import { changeOf, decodePeer, type EnginePeer, encodePeer, type Rules } from './peers.ts';
import type { Policies } from './policies.ts';
import type { Ruled } from './policy.ts';

/** The peers of one engine, and the policies that their rules make. */
export class Peering {
  readonly #api: Api;
  readonly #policies: Policies;
  /** Whether a peer that is added now is told that this speaker has just restarted. */
  readonly #restarting: () => boolean;
  readonly #wrapper: readonly string[];

  /** `wrapper` is what to write before a command to have it run where the engine runs. */
  constructor(api: Api, policies: Policies, restarting: () => boolean, wrapper: readonly string[] = []) {
    this.#api = api;
    this.#policies = policies;
    this.#restarting = restarting;
    this.#wrapper = wrapper;
  }

  /** All peers with their rules, by key; those of others too. `advertised` counts what they are told, which takes time. */
  async list(advertised = false): Promise<Map<string, EnginePeer>> {
    const rules = await this.#policies.rules();
    return new Map(
      [...(await this.states(advertised))].map(([key, peer]) => [key, withRules(peer, rules.get(key))]),
    );
  }

  /** The same without rules. */
  async states(advertised = false): Promise<Map<string, EnginePeer>> {
    const { client, dialect } = this.#api;
    const answers = await client.list('ListPeer', dialect.listPeers(advertised));
    const peers = answers.flatMap(({ peer }) => (peer ? decodePeer(dialect, peer) : []));
    return new Map(peers.map((peer) => [peer.key, peer]));
  }

  /** One outcome for each operation, in order: undefined, or what went wrong. */
  async apply(operations: readonly Operation<Peer>[], permit: Permit): Promise<(CodedError | undefined)[]> {
    const outcomes: (CodedError | undefined)[] = operations.map(() => undefined);
    const there = await this.list();
    const rules = new Map<string, Ruled>();
    for (const peer of there.values()) {
      if (peer.ours && peer.address !== '')
        rules.set(peer.key, ruledOf(peer.peer, peer.address, peer.localAddress));
    }
    const additions: { readonly at: number; readonly peer: Peer }[] = [];
    const changes: { readonly at: number; readonly peer: Peer; readonly was: EnginePeer }[] = [];
    const resets = new Set<string>();
    await this.#each(operations.entries(), outcomes, async ([at, { do: what, resource: peer }]) => {
      const key = speakerKey(peer);
      const was = there.get(key);
      if (was && !was.ours)
        throw new CodedError('NR_FOREIGN_OBJECT', `${key} was configured by somebody else`);
      if (what === 'remove') {
        rules.delete(key);
        there.delete(key);
        if (was) await this.#delete(was);
        return;
      }
      checkPeer(peer);
      const change = was ? await this.#change(was, peer, permit) : 'anew';
      if (was && change === 'anew') await this.#delete(was);
      if (change === 'anew') {
        there.delete(key);
        if (peer.address === undefined) rules.delete(key);
        else rules.set(key, ruledOf(peer, peer.address, ''));
        additions.push({ at, peer });
        return;
      }
      if (was && change === 'in place') changes.push({ at, peer, was });
      if (!sameRules(was!.peer, peer)) resets.add(key);
      rules.set(key, ruledOf(peer, was!.address, was!.localAddress));
    });
    await this.#policies.set([...rules.values()], permit.pools);
    await this.#each(additions, outcomes, ({ peer }) => this.#add(peer));
    await this.#each(changes, outcomes, ({ peer, was }) => this.#update(was, peer));
    // The address of a peer behind an interface is known only now: until here nothing passes in either direction.
    const behind = additions.filter(({ at, peer }) => peer.interface !== undefined && !outcomes[at]);
    if (behind.length > 0) {
      const now = await this.states();
      for (const { peer } of behind) {
        const found = now.get(speakerKey(peer));
        if (found && found.address !== '')
          rules.set(found.key, ruledOf(peer, found.address, found.localAddress));
        resets.add(speakerKey(peer));
      }
      await this.#policies.set([...rules.values()], permit.pools);
    }
    if (resets.size > 0) await this.reset(resets);
    return outcomes;
  }

  /** Puts the policies in force for other pools. */
  async permit(permit: Permit): Promise<void> {
    const peers = [...(await this.list()).values()].filter(({ ours, address }) => ours && address !== '');
    await this.#policies.set(
      peers.map(({ peer, address, localAddress }) => ruledOf(peer, address, localAddress)),
      permit.pools,
    );
    await this.reset(new Set(peers.map(({ key }) => key)), 'out');
  }

  /** Has the policies looked at again for what was told and heard before, without a new session. */
  async reset(keys: ReadonlySet<string>, only?: 'out'): Promise<void> {
    const { names } = this.#api.dialect;
    for (const { key, handle, state } of (await this.states()).values()) {
      if (!keys.has(key) || state.state !== 'established') continue;
      for (const direction of only ? [names.resetOut] : [names.resetIn, names.resetOut]) {
        await this.#api.client.call('ResetPeer', { address: handle, soft: true, direction });
      }
    }
  }

  /**
   * Begins the session of a peer of the mesh anew if it has none, and forgets what it told. To be called in turn with
   * `apply`.
   */
  async renew(key: string): Promise<void> {
    const was = (await this.states()).get(key);
    if (!was?.meshed || was.state.state === 'established') return;
    await this.#delete(was);
    // Its rules, and so its part in the mesh, are the policy's.
    await this.#add({ ...was.peer, mesh: 'member' });
  }

  async #change(was: EnginePeer, peer: Peer, permit: Permit): Promise<'none' | 'in place' | 'anew'> {
    const change = changeOf(was, peer);
    if (change === 'anew' || this.#api.dialect.withdrawsDenied) return change;
    // Version 3 never takes back what it told, once it is denied: if there is such a prefix, only a new session does.
    if (was.peer.mesh === 'client' && peer.mesh !== 'client') return 'anew';
    if (isDeepStrictEqual(was.peer.export, peer.export)) return change;
    const before = within(
      was.peer.export.map((rule) => rangeOf(rule)),
      permit.pools,
    );
    const after = within(
      peer.export.map((rule) => rangeOf(rule)),
      permit.pools,
    );
    const paths = [...(await this.#api.paths(4)), ...(await this.#api.paths(6))].filter(({ local }) => local);
    const denied = paths
      .map(({ prefix }) => Prefix.parse(prefix))
      .some((prefix) => matches(before, prefix) && !matches(after, prefix));
    return denied ? 'anew' : change;
  }

  async #add(peer: Peer): Promise<void> {
    const neighbor =
      peer.interface === undefined ? undefined : await neighborBehind(peer.interface, this.#wrapper);
    const restarting = peer.gracefulRestart > 0 && this.#restarting();
    const message = encodePeer(this.#api.dialect, peer, restarting, neighbor ? { neighbor } : undefined);
    await this.#api.client.call('AddPeer', { peer: message });
  }

  /**
   * Without a new session. GoBGP forgets meanwhile that graceful restart was negotiated: should the peer itself restart
   * before the next session, its routes are not kept.
   */
  async #update(was: EnginePeer, peer: Peer): Promise<void> {
    const link = peer.interface === undefined ? undefined : { neighbor: was.handle, local: was.localAddress };
    await this.#api.client.call('UpdatePeer', { peer: encodePeer(this.#api.dialect, peer, false, link) });
  }

  async #delete(was: EnginePeer): Promise<void> {
    if (was.peer.password !== undefined) {
      // Else its MD5 key would stay on the listening socket, and a peer without one could never connect.
      const { password: _, ...without } = was.peer;
      await this.#update(was, { ...without, passive: true });
    }
    // By its address even behind an interface: version 4 ends itself when there is none.
    await this.#api.client.call('DeletePeer', { address: was.handle });
  }

  async #each<T extends { readonly at: number } | [number, unknown]>(
    items: Iterable<T>,
    outcomes: (CodedError | undefined)[],
    work: (item: T) => Promise<void>,
  ): Promise<void> {
    for (const item of items) {
      try {
        await work(item);
      } catch (error) {
        outcomes[Array.isArray(item) ? item[0] : item.at] = asCoded(error);
      }
    }
  }
}

function withRules(peer: EnginePeer, rules: Rules | undefined): EnginePeer {
  return rules ? { ...peer, peer: { ...peer.peer, ...rules } } : peer;
}

function sameRules(a: Rules, b: Rules): boolean {
  return isDeepStrictEqual([a.import, a.export, a.mesh], [b.import, b.export, b.mesh]);
}

/** `local` is our own address towards the peer, with its zone. */
function ruledOf(peer: Peer, address: string, local: string): Ruled {
  const nextHop = peer.interface === undefined ? undefined : local.replace(/%.*$/, '');
  return {
    key: speakerKey(peer),
    address,
    ...(nextHop && { nextHop }),
    localAs: peer.localAs,
    import: peer.import,
    export: peer.export,
    ...(peer.mesh !== undefined && { mesh: peer.mesh }),
  };
}
