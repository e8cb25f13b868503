import type { Message } from './messages.ts';

/** A connection to another node whose id is proven. What it is for, its hello says. */
export interface Connection {
  readonly peer: string;
  /** We have opened it. */
  readonly dialed: boolean;
  /** Where the other end is, for people. */
  readonly remote: string;
  /** Bytes that were sent and are still in memory: a link with many of them waits before it sends more. */
  readonly buffered: number;
  /**
   * Nothing happens after the end.
   * @throws FrameError for a message that must not be sent, or is too large for a frame
   */
  send(message: Message): void;
  /** Whom to hand messages to. None is read before that. What it throws ends the connection, and is logged. */
  onMessage(call: (message: Message) => void): void;
  /** Called once, with a word for why it ended. */
  onClose(call: (reason: string) => void): void;
  /** What was sent before is still flushed, within a second. */
  close(reason: string): void;
}

export interface Listener {
  readonly address: string;
  readonly port: number;
  /** Takes no more connections; those that there are stay. */
  close(): Promise<void>;
}

/** Connections between nodes, whatever they are made of. Knows nothing of what is said on them. */
export interface Transport {
  /** The id that others know this node by. */
  readonly id: string;
  /** Without an address on all that there are. @throws Error of the network, such as EADDRINUSE */
  listen(address: string | undefined, port: number): Promise<Listener>;
  /**
   * Opens a connection to whoever is there, or to this node only.
   * @throws DialError
   */
  dial(address: string, port: number, expectedId?: string): Promise<Connection>;
  /** Whom to hand connections to that others have opened. */
  onConnection(call: (connection: Connection) => void): void;
  /** Ends all connections and stops listening. */
  close(): Promise<void>;
}

/** A connection could not be made, with one word for why. `refused` by the other side carries its word in the text. */
export class DialError extends Error {
  override readonly name = 'DialError';
  readonly reason: string;

  constructor(reason: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
