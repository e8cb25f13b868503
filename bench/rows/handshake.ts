/** How fast two nodes get to know each other, by certificates and by a shared secret. */
import { randomUUID } from 'node:crypto';
import { systemClock } from '../../src/clock.ts';
import { TlsTransport } from '../../src/store/gossip/tls/transport.ts';
import { createAuthority, issue } from '../../src/store/trust/authority.ts';
import { CertifiedCredentials } from '../../src/store/trust/certified.ts';
import type { Credentials } from '../../src/store/trust/credentials.ts';
import { createIdentity } from '../../src/store/trust/identity.ts';
import { drawSecret } from '../../src/store/trust/secret.ts';
import { SharedCredentials } from '../../src/store/trust/shared.ts';
import { timed } from '../flight.ts';
import { type Bench, type Figure, type Finding, figure, type Row } from '../row.ts';

interface Samples {
  readonly ms: number[];
  readonly processorMs: number[];
}

const quiet = () => {};
const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };

async function run({ count }: Bench): Promise<Finding> {
  const number = count(500, 20);
  const shared = await handshakes(sharing(), number);
  const certified = await handshakes(await certifying(), number);
  return {
    figures: [...figures('a shared secret', shared), ...figures('certificates', certified, shared)],
    notes: [
      `${number} connections one after the other, both ends in this process, from the call until both ids are known; ` +
        'TLS 1.3, X25519, Ed25519; processor time of both ends',
    ],
  };
}

function sharing(): () => Credentials {
  const secrets = [drawSecret(randomUUID())] as const;
  return () => new SharedCredentials({ identity: createIdentity(), secrets, refused: () => false });
}

async function certifying(): Promise<() => Promise<Credentials>> {
  const authority = await createAuthority(randomUUID(), Date.now());
  return async () => {
    const identity = createIdentity();
    const certificate = await issue(authority, identity.publicKey, Date.now());
    const options = { identity, certificate, authority: authority.certificate };
    return new CertifiedCredentials({ ...options, refused: () => false, now: Date.now });
  };
}

async function handshakes(draw: () => Credentials | Promise<Credentials>, number: number): Promise<Samples> {
  const options = { clock: systemClock, log };
  const [from, to] = [
    new TlsTransport({ ...options, credentials: await draw() }),
    new TlsTransport({ ...options, credentials: await draw() }),
  ];
  to.onConnection((connection) => connection.onMessage(() => {}));
  const { address, port } = await to.listen('127.0.0.1', 0);
  const samples: Samples = { ms: [], processorMs: [] };
  for (let at = -20; at < number; at++) {
    const before = process.cpuUsage();
    const ms = await timed(async () => {
      const connection = await from.dial(address, port, to.id);
      const end = new Promise((resolve) => connection.onClose(resolve));
      connection.onMessage(() => {});
      connection.close('measured');
      await end;
    });
    const { user, system } = process.cpuUsage(before);
    if (at < 0) continue;
    samples.ms.push(ms);
    samples.processorMs.push((user + system) / 1000);
  }
  await Promise.all([from.close(), to.close()]);
  return samples;
}

function figures(how: string, samples: Samples, against?: Samples): Figure[] {
  return [
    figure(`a connection by ${how}, made and closed`, 'ms', samples.ms, {
      ...(against && { against: against.ms }),
    }),
    figure(`the same, processor time`, 'ms', samples.processorMs, {
      ...(against && { against: against.processorMs }),
    }),
  ];
}

export const handshakeRow: Row = { name: 'handshake', lab: 'none', run };
