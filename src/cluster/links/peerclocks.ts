import { type Clock, wallOf } from '../../ports/clock.ts';

/** When others were last heard on a connection, and what their clocks say. */
export class PeerClocks {
  readonly #clock: Clock;
  /** `aheadMs`: by how much the peer's clock was ahead of our timer, in milliseconds. */
  readonly #heard = new Map<string, { at: number; aheadMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** It was heard just now. `wallMs`: and has told its clock's time, in milliseconds since 1970; once at least. */
  heard(peer: string, wallMs?: number): void {
    const at = this.#clock.now();
    const aheadMs = wallMs === undefined ? this.#heard.get(peer)?.aheadMs : wallMs - at;
    if (aheadMs !== undefined) this.#heard.set(peer, { at, aheadMs });
  }

  /** When it was last heard, and by how much its clock was ahead of ours as that is now, in milliseconds. */
  of(peer: string): { readonly at: number; readonly offsetMs: number } | undefined {
    const heard = this.#heard.get(peer);
    if (!heard) return undefined;
    return { at: heard.at, offsetMs: heard.aheadMs - (wallOf(this.#clock) - this.#clock.now()) };
  }
}
