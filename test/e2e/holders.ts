/** Who has which address by what was answered, so that one that is given twice is noticed at once. */
import assert from 'node:assert/strict';

export class Holders {
  readonly #holders = new Map<string, string>();

  /** `holder` was told that the address is its own. @throws when somebody else has it */
  give(address: string, holder: string): void {
    const other = this.#holders.get(address);
    assert.ok(
      other === undefined || other === holder,
      `${address} of ${other} was given to ${holder} as well`,
    );
    this.#holders.set(address, holder);
  }

  /** `holder` asks for its end: from now on the address may be another's. One that does not have it has none to give. */
  release(address: string, holder: string): void {
    if (this.#holders.get(address) === holder) this.#holders.delete(address);
  }

  /** The addresses with their holders, as they are now. */
  all(): ReadonlyMap<string, string> {
    return new Map(this.#holders);
  }
}
