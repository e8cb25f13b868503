import type { LinkAddress } from '../ports/kernel.ts';
import type { Operation } from '../ports/target.ts';
import { attempt, caught, type Verdict } from './attempt.ts';
import { addAddress, deleteAddress } from './commands.ts';
import type { Coprocess } from './coprocess.ts';
import type { Inspector } from './inspector.ts';
import { isOwn, isOwnAddress, type LinkState } from './parse.ts';
import { foreign, type Pass } from './pass.ts';

/** Puts addresses on our links and takes them off. */
export class Addresses {
  readonly #ip: Coprocess;
  readonly #inspector: Inspector;

  constructor(ip: Coprocess, inspector: Inspector) {
    this.#ip = ip;
    this.#inspector = inspector;
  }

  async put(operations: readonly Operation<LinkAddress>[], pass: Pass): Promise<Verdict[]> {
    const wrong = operations.map(({ resource }) => caught(() => addAddress(resource)).error);
    const names = operations.filter((_, i) => !wrong[i]).map(({ resource }) => resource.link);
    const links = await pass.verdicts(names);
    const barred = operations.map(({ resource }, i) => wrong[i] ?? links.get(resource.link));
    const errors = await attempt(
      this.#ip,
      operations.map(
        ({ resource }, i) =>
          () =>
            barred[i] ? [] : [addAddress(resource)],
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

  async remove(operations: readonly Operation<LinkAddress>[]): Promise<Verdict[]> {
    const wrong = operations.map(({ resource }) => caught(() => deleteAddress(resource)).error);
    const before = await this.#look(operations.filter((_, i) => !wrong[i]));
    const present = (states: Map<string, LinkState>, { link, address }: LinkAddress) => {
      const state = states.get(link);
      const there = addressOf(state, address);
      return state !== undefined && isOwn(state) && there !== undefined && isOwnAddress(there);
    };
    const errors = await attempt(
      this.#ip,
      operations.map(
        ({ resource }, i) =>
          () =>
            !wrong[i] && present(before, resource) ? [deleteAddress(resource)] : [],
      ),
    );
    const after = await this.#look(operations.filter((_, i) => errors[i]));
    return operations.map(({ resource }, i) => {
      return wrong[i] ?? (errors[i] && present(after, resource) ? errors[i] : undefined);
    });
  }

  #look(operations: readonly Operation<LinkAddress>[]): Promise<Map<string, LinkState>> {
    return this.#inspector.links([...new Set(operations.map(({ resource }) => resource.link))]);
  }
}

function addressOf(state: LinkState | undefined, address: string) {
  return state?.addresses.find((one) => one.address === address);
}
