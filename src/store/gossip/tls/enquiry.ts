import type { TLSSocket } from 'node:tls';
import type { Clock } from '../../../ports/clock.ts';
import { type Credentials, DistrustError } from '../../trust/credentials.ts';
import { DialError } from '../transport.ts';
import { CONTROL, CONTROL_MAX, encodeControl, readControl } from '../wire/control.ts';
import { Channel } from './channel.ts';
import { JOINING } from './protocols.ts';
import { dialSecured } from './secured.ts';

const ID_MAX = 64;
const TIMEOUT_MS = 3000;

/** Who answers at a place, of a cluster whose members share a secret. */
export interface Answered {
  readonly id: string;
  /** Who made the cluster that it is a member of; undefined while it is in none. */
  readonly founder?: string | undefined;
}

interface Options {
  readonly address: string;
  readonly port: number;
  readonly credentials: Credentials;
  readonly clock: Clock;
}

/**
 * Asks at a place whether a member of the cluster is there. TLS shows both that the other one has the secret; that it
 * has the key of its id is shown when a connection is made with it.
 * @throws DistrustError `secret`, and what the network has to say
 */
export async function enquire({ address, port, credentials, clock }: Options): Promise<Answered> {
  let socket: TLSSocket | undefined;
  let late = false;
  const cancel = clock.after(TIMEOUT_MS, () => {
    late = true;
    socket?.destroy();
  });
  try {
    const made = await dialSecured(credentials, {
      host: address,
      port,
      protocol: JOINING,
      made: (next) => {
        socket = next;
      },
      isLate: () => late,
    });
    // A handshake with a pre-shared key counts as resumed, and shows no certificate.
    if (!made.isSessionReused() || made.getPeerX509Certificate()) throw new DistrustError('secret');
    const frame = await new Channel(made, CONTROL_MAX, clock.after).next();
    return readControl(frame, CONTROL.member, (reader) => {
      const id = reader.text(ID_MAX);
      return reader.absent() ? { id } : { id, founder: reader.text(ID_MAX) };
    });
  } catch (error) {
    if (late) throw new DialError('timeout', `no answer within ${TIMEOUT_MS / 1000} s`, { cause: error });
    const distrust = error instanceof Error ? credentials.distrustOf(error) : undefined;
    throw distrust === 'secret'
      ? new DistrustError('secret', 'it has another secret', { cause: error })
      : error;
  } finally {
    cancel();
    socket?.destroy();
  }
}

/** Tells one who has asked who is here. */
export function answerEnquiry(channel: Channel, { id, founder }: Answered): void {
  channel.send(encodeControl(CONTROL.member, founder === undefined ? [id] : [id, founder]));
}
