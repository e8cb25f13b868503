import { type Clock, wallOf } from '../../../ports/clock.ts';
import type { Log } from '../../../ports/log.ts';
import type { Peer } from '../../trust/credentials.ts';
import { decode, encode } from '../frames.ts';
import type { Message } from '../messages.ts';
import type { Connection } from '../transport.ts';
import { CONTROL, encodeControl } from '../wire/control.ts';
import { FrameError } from '../wire/error.ts';
import { FRAME_MAX } from '../wire/limits.ts';
import { type Frame, HEADER_BYTES } from '../wire/splitter.ts';
import type { Channel } from './channel.ts';
import { type Limits, SILENT_TIMES } from './limits.ts';

interface Context {
  /** Our own id. */
  readonly self: string;
  readonly peer: Peer;
  readonly dialed: boolean;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly log: Log;
  /** A frame of an unknown type came, and was skipped. */
  readonly skipped: () => void;
  /** What all connections together have sent and received: added to. */
  readonly traffic: Traffic;
}

/** Frames with messages, and their bytes before TLS. */
interface Traffic {
  sentFrames: number;
  sentBytes: number;
  receivedFrames: number;
  receivedBytes: number;
}

/** What was encoded, and for which sender: most messages go to several peers. */
const encoded = new WeakMap<Message, { readonly sender: string; readonly bytes: Uint8Array }>();

/** A channel whose other end is known, and which both keep alive. */
export class TlsConnection implements Connection {
  readonly peer: string;
  readonly dialed: boolean;
  readonly remote: string;
  readonly #channel: Channel;
  readonly #context: Context;
  #handler: ((message: Message) => void) | undefined;
  #silent = 0;
  #read = 0;
  #written = 0;
  #cancelLook: () => void;
  #cancelHello: () => void;

  constructor(channel: Channel, context: Context) {
    const { peer, dialed, limits, clock } = context;
    const { remoteAddress, remotePort } = channel.socket;
    this.peer = peer.id;
    this.dialed = dialed;
    this.remote = `${remoteAddress}:${remotePort}`;
    this.#channel = channel;
    this.#context = context;
    channel.limit = FRAME_MAX;
    this.#cancelLook = clock.after(limits.aliveMs, () => this.#look());
    this.#cancelHello = clock.after(limits.helloMs, () => channel.destroy('speechless'));
    channel.onEnd(() => {
      this.#cancelLook();
      this.#cancelHello();
    });
  }

  get buffered(): number {
    return this.#channel.buffered;
  }

  send(message: Message): void {
    const { self } = this.#context;
    const known = encoded.get(message);
    const bytes = known?.sender === self ? known.bytes : encode(message, self);
    if (known?.sender !== self) encoded.set(message, { sender: self, bytes });
    this.#channel.send(bytes);
    const { traffic } = this.#context;
    traffic.sentFrames += 1;
    traffic.sentBytes += bytes.length;
    if (this.buffered > this.#context.limits.bufferMax) this.#channel.destroy('overrun');
  }

  onMessage(call: (message: Message) => void): void {
    this.#handler = call;
    this.#channel.receive((frame) => this.#take(frame));
  }

  onClose(call: (reason: string) => void): void {
    this.#channel.onEnd(call);
  }

  close(reason: string): void {
    this.#channel.close(reason);
  }

  #take(frame: Frame): void {
    if (frame.type === CONTROL.alive) return;
    const { traffic } = this.#context;
    traffic.receivedFrames += 1;
    traffic.receivedBytes += HEADER_BYTES + frame.body.length;
    const message = decode(frame, this.peer);
    this.#cancelHello();
    if (!message) {
      this.#context.skipped();
      return;
    }
    try {
      this.#handler?.(message);
    } catch (error) {
      if (error instanceof FrameError) throw error;
      // A message that brings its reader down must not do so with the whole node.
      this.#context.log.error(
        { err: error, peer: this.peer, kind: message.kind },
        'a message could not be handled',
      );
      this.#channel.destroy('unhandled');
    }
  }

  /** Now and then: is the other side there, does it know that we are, and is it still who it was? */
  #look(): void {
    const { clock, limits, peer } = this.#context;
    const { bytesRead, bytesWritten } = this.#channel.socket;
    this.#silent = bytesRead === this.#read ? this.#silent + 1 : 0;
    this.#read = bytesRead;
    const expired = peer.until !== undefined && wallOf(clock) > peer.until;
    if (expired || this.#silent === SILENT_TIMES) {
      this.#channel.destroy(expired ? 'expired' : 'silent');
      return;
    }
    if (bytesWritten === this.#written) this.#channel.send(encodeControl(CONTROL.alive, []));
    this.#written = this.#channel.socket.bytesWritten;
    this.#cancelLook = clock.after(limits.aliveMs, () => this.#look());
  }
}
