import { decode } from '../../../../src/store/gossip/frames.ts';
import type { Message } from '../../../../src/store/gossip/messages.ts';
import { FRAME_MAX } from '../../../../src/store/gossip/wire/limits.ts';
import { Splitter } from '../../../../src/store/gossip/wire/splitter.ts';

/** Messages from the bytes of a connection, without one. */
export class FrameReader {
  readonly #sender: string;
  readonly #splitter = new Splitter(FRAME_MAX);
  skipped = 0;

  /** `sender` is who is at the other end. */
  constructor(sender: string) {
    this.#sender = sender;
  }

  *push(chunk: Uint8Array): Generator<Message, void> {
    for (const frame of this.#splitter.push(chunk)) {
      const message = decode(frame, this.#sender);
      if (message) yield message;
      else this.skipped += 1;
    }
  }
}
