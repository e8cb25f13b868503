import type { TLSSocket } from 'node:tls';
import { FrameError } from '../wire/error.ts';
import { type Frame, Splitter } from '../wire/splitter.ts';

/** Bytes that are flushed before the socket is destroyed get this long, in milliseconds. */
const FLUSH_MS = 1000;

/** A channel ended while something was expected of it. */
export class ChannelError extends Error {
  override readonly name = 'ChannelError';
  readonly reason: string;

  constructor(reason: string, options?: ErrorOptions) {
    super(`the connection ended: ${reason}`, options);
    this.reason = reason;
  }
}

/** Frames over a TLS socket. Reads only while somebody wants to have what it reads. */
export class Channel {
  readonly socket: TLSSocket;
  readonly #splitter: Splitter;
  readonly #after: (ms: number, call: () => void) => () => void;
  /** What was read and not taken apart: one chunk at a time, and none further than somebody wants. */
  readonly #chunks: Uint8Array[] = [];
  #frames: Iterator<Frame, void> | undefined;
  readonly #ends: ((reason: string) => void)[] = [];
  #handler: ((frame: Frame) => void) | undefined;
  #draining = false;
  #reason: string | undefined;
  #ended = false;

  /** `limit`: most bytes of a frame, see {@link limit}. */
  constructor(socket: TLSSocket, limit: number, after: (ms: number, call: () => void) => () => void) {
    this.socket = socket;
    this.#splitter = new Splitter(limit);
    this.#after = after;
    socket.on('data', (chunk: Uint8Array) => this.#guarded(() => this.#take(chunk)));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#reason ??= error.code ?? 'error';
    });
    socket.on('close', () => this.#end());
    if (socket.destroyed) process.nextTick(() => this.#end());
  }

  /** Most bytes of a frame behind its length field. */
  set limit(limit: number) {
    this.#splitter.limit = limit;
  }

  /** Bytes that were sent and that the kernel has not taken. */
  get buffered(): number {
    return this.socket.writableLength;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Hands over each frame from now on. A FrameError that the handler throws ends the channel. */
  receive(handler: (frame: Frame) => void): void {
    this.#handler = handler;
    this.#guarded(() => this.#drain());
    if (this.#wanted) this.socket.resume();
  }

  /** The next frame, and no more. @throws ChannelError */
  next(): Promise<Frame> {
    return new Promise((resolve, reject) => {
      this.onEnd((reason) => reject(new ChannelError(reason)));
      this.receive((frame) => {
        this.#handler = undefined;
        resolve(frame);
      });
    });
  }

  /** What is sent after the end goes nowhere, as with any connection that breaks. */
  send(bytes: Uint8Array): void {
    if (!this.#ended && !this.socket.destroyed && this.socket.writable) this.socket.write(bytes);
  }

  /** Calls once, when nothing more can come; at the next turn if that is so already. */
  onEnd(call: (reason: string) => void): void {
    if (this.#ended) process.nextTick(call, this.#reason ?? 'closed');
    else this.#ends.push(call);
  }

  /** Ends it when what was sent is flushed, or soon. The first reason that is given counts. */
  close(reason: string): void {
    this.#reason ??= reason;
    this.#handler = undefined;
    if (this.socket.destroyed) return;
    this.socket.end();
    // The other side's end has to be read to be seen.
    this.socket.resume();
    const cancel = this.#after(FLUSH_MS, () => this.socket.destroy());
    this.onEnd(cancel);
  }

  /** Ends it at once. */
  destroy(reason: string): void {
    this.#reason ??= reason;
    this.socket.destroy();
  }

  #take(chunk: Uint8Array): void {
    // What comes after it was closed is thrown away.
    if (this.#reason !== undefined) return;
    this.#chunks.push(chunk);
    this.#drain();
    if (!this.#wanted) this.socket.pause();
  }

  /** A handler may be gone by now. */
  get #wanted(): boolean {
    return this.#handler !== undefined;
  }

  /** Frame by frame, as the limit may be another one after each. */
  #drain(): void {
    // A handler may set another one, which drains as well.
    if (this.#draining) return;
    this.#draining = true;
    try {
      for (let handler = this.#handler; handler; handler = this.#handler) {
        const frame = this.#frame();
        if (!frame) break;
        handler(frame);
      }
    } finally {
      this.#draining = false;
    }
  }

  #frame(): Frame | undefined {
    for (;;) {
      const next = this.#frames?.next();
      if (next && !next.done) return next.value;
      const chunk = this.#chunks.shift();
      this.#frames = chunk && this.#splitter.push(chunk);
      if (!chunk) return undefined;
    }
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.destroy(error.fault);
    }
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#handler = undefined;
    for (const call of this.#ends.splice(0)) call(this.#reason ?? 'closed');
  }
}
