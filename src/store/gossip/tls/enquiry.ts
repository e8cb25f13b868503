import type { Clock } from '../../../ports/clock.ts';
import { type Credentials, DistrustError } from '../../trust/credentials.ts';
import { CONTROL, encodeControl, readControl } from '../wire/control.ts';
import type { Channel } from './channel.ts';
import { JOINING } from './protocols.ts';
import { ask } from './talk.ts';

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
 * @throws DistrustError `secret`, DialError `timeout`, and what the network has to say
 */
export async function enquire({ address, port, credentials, clock }: Options): Promise<Answered> {
  const talk = { address, port, protocol: JOINING, ways: credentials, ms: TIMEOUT_MS, clock };
  try {
    return await ask(talk, async (channel) => {
      const { socket } = channel;
      // A handshake with a pre-shared key counts as resumed, and shows no certificate.
      if (!socket.isSessionReused() || socket.getPeerX509Certificate()) throw new DistrustError('secret');
      return readControl(await channel.next(), CONTROL.member, (reader) => {
        const id = reader.text(ID_MAX);
        return reader.absent() ? { id } : { id, founder: reader.text(ID_MAX) };
      });
    });
  } catch (error) {
    const distrust = error instanceof Error ? credentials.distrustOf(error) : undefined;
    throw distrust === 'secret'
      ? new DistrustError('secret', 'it has another secret', { cause: error })
      : error;
  }
}

/** Tells one who has asked who is here. */
export function answerEnquiry(channel: Channel, { id, founder }: Answered): void {
  channel.send(encodeControl(CONTROL.member, founder === undefined ? [id] : [id, founder]));
}
