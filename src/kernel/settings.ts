import { setImmediate } from 'node:timers/promises';
import { asCoded } from '../errors.ts';
import { parseIfname } from '../net/ifname.ts';
import { linkSysctls } from '../net/linksysctl.ts';
import { LINK_PREFIX, type Sysctl } from '../ports/kernel.ts';
import type { Operation } from '../ports/target.ts';
import { sysctlPath } from './arguments.ts';
import { caught } from './attempt.ts';
import type { Verdict } from './group.ts';
import type { Pass } from './pass.ts';
import type { Sysctls } from './sysctl.ts';

/** Links whose settings are done in one go, between two looks at the event loop. */
const SLICE = 25;

/** The settings of links, many at a time. */
export class Settings {
  readonly #sysctls: Sysctls;

  constructor(sysctls: Sysctls) {
    this.#sysctls = sysctls;
  }

  /** What linkSysctls wants to be set, as it is set; nothing for a link that has gone. */
  async read(names: readonly string[], take: (sysctl: Sysctl) => void): Promise<void> {
    for (let at = 0; at < names.length; at += SLICE) {
      for (const name of names.slice(at, at + SLICE)) {
        for (const wanted of linkSysctls(parseIfname(name))) {
          const moot = this.#sysctls.isMoot(wanted.path);
          const value = moot ? wanted.value : this.#sysctls.read(wanted.path);
          if (value !== undefined) take({ ...wanted, value });
        }
      }
      await setImmediate();
    }
  }

  /** Those of the host first, then link by link. */
  async apply(operations: readonly Operation<Sysctl>[], pass: Pass): Promise<Verdict[]> {
    const links = operations.map(({ resource }) => caught(() => linkOf(resource.path)));
    const puts = [...operations.keys()].filter((i) => operations[i]!.do === 'put' && !links[i]!.error);
    const names = puts.map((i) => links[i]!.value).filter((name) => name !== undefined);
    const barred = await pass.verdicts(names);
    const verdicts: Verdict[] = links.map(({ value = '', error }) => error ?? barred.get(value));
    for (const [i, { do: what }] of operations.entries()) {
      if (what === 'remove') verdicts[i] = links[i]!.error; // goes with its link
    }
    const work = Map.groupBy(
      puts.filter((i) => !verdicts[i]),
      (i) => links[i]!.value ?? '',
    );
    const one = async (indexes: readonly number[]) => {
      for (const i of indexes) {
        const { path, value } = operations[i]!.resource;
        await this.#sysctls.put(path, value).catch((error: unknown) => {
          verdicts[i] = asCoded(error);
        });
      }
    };
    await one(work.get('') ?? []);
    work.delete('');
    const all = [...work.values()];
    for (let at = 0; at < all.length; at += SLICE) {
      await Promise.all(all.slice(at, at + SLICE).map(one));
      await setImmediate();
    }
    return verdicts;
  }
}

/** The link of ours that a setting belongs to, if any. @throws NR_KERNEL_ARGUMENT */
export function linkOf(path: string): string | undefined {
  const [, , , name] = sysctlPath(path);
  return name?.startsWith(LINK_PREFIX) ? name : undefined;
}
