import type { LinkAddress } from '../ports/kernel.ts';
import type { Operation } from '../ports/target.ts';
import { attempt, caught } from './attempt.ts';
import { addAddress, deleteAddress } from './commands.ts';
import type { Verdict } from './group.ts';
import type { Inspector } from './inspector.ts';
import { isOwn, isOwnAddress, type LinkState } from './parse.ts';
import { foreign, type Pass } from './pass.ts';
import type { Writer } from './writer.ts';

/** Puts addresses on our links and takes them off. */
export class Addresses {
  readonly #ip: Writer;
  readonly #inspector: Inspector;

  constructor(ip: Writer, inspector: Inspector) {
    this.#ip = ip;
    this.#inspector = inspector;
  }

  async put(operations: readonly Operation<LinkAddress>[], pass: Pass): Promise<Verdict[]> {
    const written = operations.map(({ resource }) => caught(() => addAddress(resource)));
    const names = operations.filter((_, i) => written[i]?.value).map(({ resource }) => resource.link);
    const links = await pass.verdicts(names);
    const barred = operations.map(({ resource }, i) => written[i]?.error ?? links.get(resource.link));
    const errors = await attempt(
      this.#ip,
      written.map(
        ({ value }, i) =>
          () =>
            value && !barred[i] ? [value] : [],
      ),
    );
    // The kernel never changes an address that is there: an error may mean that nothing is left to do.
    const states = await this.#look(operations.filter((_, i) => errors[i]));
    return operations.map(({ resource }, i) => {
      const there = addressOf(states.get(resource.link), resource.address);
      if (barred[i] || !errors[i] || !there) return barred[i] ?? errors[i];
      if (isOwnAddress(there)) return undefined;
      return foreign(`the address ${resource.address} of ${resource.link} is not ours`);
    });
  }

  /** Looks first: the kernel would delete a foreign address of another scope as well. */
  async remove(operations: readonly Operation<LinkAddress>[]): Promise<Verdict[]> {
    const written = operations.map(({ resource }) => caught(() => deleteAddress(resource)));
    const before = await this.#look(operations.filter((_, i) => written[i]?.value));
    const errors = await attempt(
      this.#ip,
      operations.map(({ resource }, i) => () => {
        const { value } = written[i]!;
        return value && isPresent(before, resource) ? [value] : [];
      }),
    );
    const after = await this.#look(operations.filter((_, i) => errors[i]));
    return operations.map(({ resource }, i) => {
      return written[i]?.error ?? (isPresent(after, resource) ? errors[i] : undefined);
    });
  }

  #look(operations: readonly Operation<LinkAddress>[]): Promise<Map<string, LinkState>> {
    return this.#inspector.links([...new Set(operations.map(({ resource }) => resource.link))]);
  }
}

function addressOf(state: LinkState | undefined, address: string) {
  return state?.addresses.find((one) => one.address === address);
}

function isPresent(states: ReadonlyMap<string, LinkState>, { link, address }: LinkAddress): boolean {
  const state = states.get(link);
  const there = addressOf(state, address);
  return state !== undefined && isOwn(state) && there !== undefined && isOwnAddress(there);
}
