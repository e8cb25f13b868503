import { CodedError } from '../errors.ts';
import type { Inspector } from './inspector.ts';
import { isOwn, type LinkState } from './parse.ts';

/**
 * What one call of apply has learned about links, so that nothing is done to one that is not ours and nothing is
 * tried on one that could not be made.
 */
export class Pass {
  readonly #inspector: Inspector;
  /** Undefined for a link that is ours. */
  readonly #verdicts = new Map<string, CodedError | undefined>();

  constructor(inspector: Inspector) {
    this.#inspector = inspector;
  }

  /** This call has made, or failed to make, the link. */
  record(name: string, error: CodedError | undefined): void {
    this.#verdicts.set(name, error);
  }

  /** Why the link cannot be used, as far as this call knows. */
  knownError(name: string): CodedError | undefined {
    return this.#verdicts.get(name);
  }

  /** Why each link cannot be used; looks at those that this call knows nothing about. */
  async verdicts(names: readonly string[]): Promise<ReadonlyMap<string, CodedError | undefined>> {
    const unknown = [...new Set(names)].filter((name) => !this.#verdicts.has(name));
    if (unknown.length > 0) {
      const states = await this.#inspector.links(unknown);
      for (const name of unknown) this.#verdicts.set(name, verdictOn(name, states.get(name)));
    }
    return this.#verdicts;
  }
}

export function verdictOn(name: string, state: LinkState | undefined): CodedError | undefined {
  if (!state) return new CodedError('NR_KERNEL_REFUSED', `there is no interface ${name}`);
  return isOwn(state) ? undefined : foreign(`the interface ${name} is not ours`);
}

export function foreign(what: string): CodedError {
  return new CodedError('NR_FOREIGN_OBJECT', what);
}
