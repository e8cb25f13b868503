/** Counts what this process hands to TLS. */
import type { Message } from '../../src/store/gossip/messages.ts';
import { Channel } from '../../src/store/gossip/tls/channel.ts';
import { TlsConnection } from '../../src/store/gossip/tls/connection.ts';

export interface Sent {
  readonly kind: string;
  readonly frames: number;
  readonly bytes: number;
  /** In all of them together. */
  readonly records: number;
}

const totals = new Map<string, { kind: string; frames: number; bytes: number; records: number }>();
let current: Message | undefined;

// The connection encodes and sends within the call, so what goes through the channel meanwhile is the message.
const { send } = TlsConnection.prototype;
TlsConnection.prototype.send = function (message) {
  current = message;
  send.call(this, message);
  current = undefined;
};
const { send: write } = Channel.prototype;
Channel.prototype.send = function (bytes) {
  const kind = current?.kind ?? 'control';
  const total = totals.get(kind) ?? { kind, frames: 0, bytes: 0, records: 0 };
  totals.set(kind, total);
  total.frames += 1;
  total.bytes += bytes.length;
  if (current?.kind === 'ranges') for (const { records } of current.ranges) total.records += records.length;
  write.call(this, bytes);
};

/** So far. */
export function sent(): Sent[] {
  return [...totals.values()].map((total) => ({ ...total }));
}
