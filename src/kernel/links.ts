import { asCoded } from '../errors.ts';
import type { VethLink } from '../ports/kernel.ts';
import { LINK_GROUP } from '../ports/kernel.ts';
import type { Operation } from '../ports/target.ts';
import { attempt, caught } from './attempt.ts';
import * as commands from './commands.ts';
import type { Verdict } from './group.ts';
import type { Inspector } from './inspector.ts';
import { isOwn, type LinkState } from './parse.ts';
import { foreign, type Pass, verdictOn } from './pass.ts';
import { SCRATCH_GROUP } from './scratch.ts';
import type { Writer } from './writer.ts';

/** Makes, mends and deletes veth pairs. */
export class Links {
  readonly #ip: Writer;
  /** Another process, as a deletion takes the time of an RCU grace period and others should not wait for it. */
  readonly #reaper: Writer;
  readonly #inspector: Inspector;
  readonly #ipv6: boolean;
  #groupDeletion: Promise<unknown> = Promise.resolve();

  constructor(ip: Writer, reaper: Writer, inspector: Inspector, ipv6: boolean) {
    this.#ipv6 = ipv6;
    this.#ip = ip;
    this.#reaper = reaper;
    this.#inspector = inspector;
  }

  /** In two steps, as the second must not happen to a link that was there before and is not ours. */
  async put(operations: readonly Operation<VethLink>[], pass: Pass): Promise<Verdict[]> {
    const links = operations.map(({ resource }) => resource);
    const added = await attempt(
      this.#ip,
      operations.map((one) => () => {
        const add = commands.addLink(one.resource);
        return one.do === 'put' && one.was === undefined ? [add] : [];
      }),
    );
    const isNew = operations.map((one, i) => one.do === 'put' && one.was === undefined && !added[i]);
    const doubtful = links.filter((_, i) => !isNew[i] && mayLook(added[i]));
    const states = await this.#inspector.links(doubtful.map(({ name }) => name));
    const finished = await attempt(
      this.#ip,
      links.map((link, i) => () => {
        if (isNew[i]) return [commands.finishLink(link, this.#ipv6)];
        const state = states.get(link.name);
        return state && isOwn(state) && mayLook(added[i]) ? commands.mendLink(link, state, this.#ipv6) : [];
      }),
    );
    const verdicts = await Promise.all(
      links.map((link, i) => {
        if (isNew[i]) return finished[i];
        if (!mayLook(added[i])) return added[i];
        const state = states.get(link.name);
        if (state) return verdictOn(link.name, state) ?? finished[i];
        // It was thought to be there and is not: make it.
        if (!added[i]) return this.put([{ do: 'put', key: '', resource: link }], pass).then(([one]) => one);
        const taken = /File exists/.test(added[i].what);
        return taken ? foreign(`the interface ${link.peer} is not ours`) : added[i];
      }),
    );
    for (const [i, { name }] of links.entries()) pass.record(name, verdicts[i]);
    return verdicts;
  }

  /** Deletes those that are ours; one of the name that is not ours means that ours is gone. */
  async remove(operations: readonly Operation<VethLink>[], pass: Pass): Promise<Verdict[]> {
    const verdicts = operations.map(({ resource }) => caught(() => commands.deleteLink(resource.name)).error);
    const names = operations.filter((_, i) => !verdicts[i]).map(({ resource }) => resource.name);
    const own = await this.#own(names);
    if (own.length > 1) await this.#removeGroup(own);
    const left = own.length > 1 ? await this.#own(own) : own;
    const errors = await attempt(
      this.#reaper,
      left.map((name) => () => [commands.deleteLink(name)]),
    );
    const failed = left.filter((_, i) => errors[i]);
    const still = new Set(failed.length > 0 ? await this.#own(failed) : []);
    for (const name of names) pass.record(name, verdictOn(name, undefined));
    return operations.map(({ resource: { name } }, i) => {
      return verdicts[i] ?? (still.has(name) ? errors[left.indexOf(name)] : undefined);
    });
  }

  async #own(names: readonly string[]): Promise<string[]> {
    const states = await this.#inspector.links(names);
    return [...states.values()].filter(isOwn).map(({ name }) => name);
  }

  /** All at once, by a group that only they are in. What this leaves is deleted one by one. */
  async #removeGroup(names: readonly string[]): Promise<void> {
    const turn = this.#groupDeletion.then(async () => {
      await this.#regroup(names, SCRATCH_GROUP);
      const strangers = async () => {
        const states = await this.#inspector.group(SCRATCH_GROUP);
        return states.filter(({ name }) => !names.includes(name));
      };
      // Left by a daemon that ended between moving and deleting, and wanted again by now.
      const stray = (await strangers()).filter(isOwn).map(({ name }: LinkState) => name);
      if (stray.length > 0) await this.#regroup(stray, LINK_GROUP);
      if ((await strangers()).length === 0) await this.#reaper.run([commands.deleteScratchGroup()]);
    });
    this.#groupDeletion = turn.catch(() => {});
    await turn;
  }

  async #regroup(names: readonly string[], group: number): Promise<void> {
    await this.#ip.run(names.map((name) => commands.regroupLink(name, group)));
  }
}

/** Whether an error, or none, leaves open what is there. */
function mayLook(error: Verdict): boolean {
  return error === undefined || asCoded(error).code === 'NR_KERNEL_REFUSED';
}
