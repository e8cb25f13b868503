import { CodedError } from '../errors.ts';
import { Address } from '../net/address.ts';
import { Prefix } from '../net/prefix.ts';
import type { Announcement } from '../ports/speaker.ts';

/** Which prefixes may be announced: those within the pools, and never everything (a default route). */
export class Permit {
  readonly pools: readonly Prefix[];

  /** @throws NR_PREFIX_INVALID */
  constructor(pools: readonly string[]) {
    this.pools = pools.map((pool) => Prefix.parse(pool)).sort((a, b) => (`${a}` < `${b}` ? -1 : 1));
  }

  allows(prefix: Prefix): boolean {
    return prefix.length > 0 && this.pools.some((pool) => pool.contains(prefix));
  }

  /**
   * The prefix and next hop of an announcement that may go out.
   * @throws NR_EXPORT_DENIED outside of the pools; NR_PREFIX_INVALID, NR_ADDRESS_INVALID
   */
  check(announcement: Announcement): { readonly prefix: Prefix; readonly nextHop: Address } {
    const prefix = Prefix.parse(announcement.prefix);
    if (!this.allows(prefix)) {
      const why = prefix.length === 0 ? 'is a default route' : 'is in none of the pools';
      throw new CodedError('NR_EXPORT_DENIED', `${prefix} ${why}`);
    }
    const nextHop = Address.parse(announcement.nextHop);
    if (nextHop.family !== prefix.family) {
      throw new CodedError('NR_ADDRESS_INVALID', `${nextHop} is no next hop for ${prefix}`);
    }
    return { prefix, nextHop };
  }
}
