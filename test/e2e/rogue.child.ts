/**
 * One that talks to a member as no release of ours does, from wherever it is started. On standard input it is told where
 * the member is, what keys it has, and what it is to do; on standard output it says, as JSON, how each of these ended.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createConnection, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { encode as encodeCbor } from 'cborg';
import fc from 'fast-check';
import { systemClock } from '../../src/clock.ts';
import type { Class } from '../../src/ports/store.ts';
import { namespaceIn } from '../../src/store/crdt/record.ts';
import { decode, encode } from '../../src/store/gossip/frames.ts';
import type { Hello } from '../../src/store/gossip/messages.ts';
import { Channel } from '../../src/store/gossip/tls/channel.ts';
import { introduceAsDialer } from '../../src/store/gossip/tls/introduce.ts';
import { GOSSIP } from '../../src/store/gossip/tls/protocols.ts';
import { secured } from '../../src/store/gossip/tls/secured.ts';
import { FRAME_MAX, VERSION } from '../../src/store/gossip/wire/limits.ts';
import { join } from '../../src/store/gossip/wire/splitter.ts';
import { SEALED, Sealer } from '../../src/store/seal.ts';
import { authorityOf, createAuthority, issue } from '../../src/store/trust/authority.ts';
import { CertifiedCredentials } from '../../src/store/trust/certified.ts';
import { TLS_OPTIONS } from '../../src/store/trust/credentials.ts';
import { createIdentity, type Identity, identityOf } from '../../src/store/trust/identity.ts';
import { drawSecret } from '../../src/store/trust/secret.ts';
import { SharedCredentials } from '../../src/store/trust/shared.ts';
import { IdentitySigner } from '../../src/store/trust/signer.ts';
import { anyMessage } from '../unit/store/gossip/arbitrary.ts';
import { numbers } from './random.ts';

interface Order {
  readonly address: string;
  readonly port: number;
  readonly cluster: string;
  /** PEM: of the cluster's authority, and of a member. */
  readonly authority: { readonly certificate: string; readonly key: string };
  readonly member: { readonly certificate: string; readonly key: string };
  readonly acts: readonly (readonly [name: string, ...more: (string | number)[]])[];
}

const DAY_MS = 86_400_000;
const PATIENCE_MS = 20_000;
const HUGE = Buffer.from([0x40, 0, 0, 0, 1, 1]);

const order = JSON.parse(await text(process.stdin)) as Order;
const { address: host, port, cluster } = order;
const authority = authorityOf(
  new X509Certificate(order.authority.certificate),
  createPrivateKey(order.authority.key),
);
const member = identityOf(createPrivateKey(order.member.key));

type By = Awaited<ReturnType<typeof createAuthority>>;

/** Credentials of somebody new; `from` and `lifeMs` make a certificate of another time. */
async function credentials(
  by: By = authority,
  from = Date.now(),
  lifeMs = DAY_MS,
): Promise<CertifiedCredentials> {
  const identity = createIdentity();
  const certificate = await issue(by, identity.publicKey, from, lifeMs);
  return certified(identity, certificate, by.certificate);
}

function certified(
  identity: Identity,
  certificate: X509Certificate,
  by: X509Certificate,
): CertifiedCredentials {
  const now = () => certificate.validFromDate.getTime() + 1;
  return new CertifiedCredentials({ identity, certificate, authority: by, refused: () => false, now });
}

const asMember = () =>
  certified(member, new X509Certificate(order.member.certificate), authority.certificate);

/** A connection of TLS that somebody has not introduced himself on. */
async function tls(options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ host, port, ALPNProtocols: [GOSSIP], ...options });
  await secured(socket);
  return socket;
}

const channelOn = (socket: TLSSocket) => new Channel(socket, FRAME_MAX, systemClock.after);

/** One on which both are known. How the other side is checked is not the matter here. */
async function entered(as: CertifiedCredentials): Promise<Channel> {
  const channel = channelOn(await tls({ ...as.dialing()[0]!, rejectUnauthorized: false }));
  await introduceAsDialer(channel, as);
  return channel;
}

/** Ends with the word by which the other side has ended it. */
function ended(channel: Channel): Promise<string> {
  return new Promise((resolve, reject) => {
    systemClock.after(PATIENCE_MS, () => reject(new Error('the other side has not ended it')));
    let said: string | undefined;
    channel.onEnd((reason) => resolve(said ?? reason));
    channel.receive((frame) => {
      const message = decode(frame, '0'.repeat(32));
      if (message?.kind === 'goodbye') said = message.code;
    });
  });
}

function gone(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.on('error', () => {});
    socket.on('close', () => resolve());
    socket.resume();
  });
}

/** What a peer of that id is known by, from its own words. */
function hearing(channel: Channel, id: string): Promise<{ vector: ReadonlyMap<string, number> }> {
  return new Promise((resolve, reject) => {
    let said = '';
    channel.onEnd((reason) => reject(new Error(`${reason} ${said}`)));
    channel.receive((frame) => {
      const message = decode(frame, id);
      if (message?.kind === 'goodbye') said = `${message.code}: ${message.what}`;
      if (message?.kind === 'vector') resolve({ vector: message.vector });
    });
  });
}

function hello(id: string, more: Partial<Hello> = {}): Hello {
  return {
    kind: 'hello',
    protocol: 1,
    cluster,
    id,
    boot: 'rogue',
    bootSequence: Number.MAX_SAFE_INTEGER,
    purpose: 'link',
    wallMs: Date.now(),
    ...more,
  };
}

/** A handshake that ends: why, as far as this side is told. */
async function refusedBy(as: CertifiedCredentials): Promise<string> {
  try {
    await ended(await entered(as));
    return 'let in';
  } catch (error) {
    return (error as { reason?: string }).reason ?? (error as Error).message;
  }
}

const ACTS: Record<string, (...more: never[]) => Promise<unknown>> = {
  bare: async () => {
    const channel = channelOn(await tls({ ...TLS_OPTIONS, rejectUnauthorized: false }));
    channel.send(encodeIntroduction());
    return ended(channel);
  },
  'self-signed': async () => refusedBy(await credentials(await createAuthority(cluster, Date.now()))),
  'other-cluster': async () =>
    refusedBy(await credentials(await createAuthority(crypto.randomUUID(), Date.now()))),
  expired: async () => refusedBy(await credentials(authority, Date.now() - 3 * DAY_MS, DAY_MS)),
  early: async () => refusedBy(await credentials(authority, Date.now() + 3 * DAY_MS, DAY_MS)),
  secret: async () => {
    const as = new SharedCredentials({
      identity: createIdentity(),
      secrets: [drawSecret(cluster)],
      refused: () => false,
    });
    return tls(as.dialing()[0]).then(
      () => 'let in',
      () => 'refused',
    );
  },
  /** As the member whose certificate it has: what becomes of it, and of what it says of others. */
  member: async () => {
    const as = asMember();
    const channel = await entered(as);
    channel.send(encode(hello(as.id), as.id));
    return ended(channel);
  },
  /** It would have everybody stop. */
  slander: async () => {
    const as = asMember();
    const channel = await entered(as);
    const end = ended(channel);
    for (const code of ['NR_MEMBER_GONE', 'NR_MEMBER_CLONED'])
      channel.send(encode({ kind: 'goodbye', code, what: 'so it is' }, as.id));
    await end;
  },
  /** Says what another one has said. */
  'hello-of-another': async () => {
    const as = await credentials();
    const channel = await entered(as);
    channel.send(encode(hello(member.id), as.id));
    return ended(channel);
  },
  'hello-of-another-cluster': async () => {
    const as = await credentials();
    const channel = await entered(as);
    channel.send(encode(hello(as.id, { cluster: crypto.randomUUID() }), as.id));
    return ended(channel);
  },
  /** An earlier start of the member says hello again. */
  'hello-again': async () => {
    const as = asMember();
    const channel = await entered(as);
    channel.send(encode(hello(as.id, { boot: 'earlier', bootSequence: 1 }), as.id));
    return ended(channel);
  },
  'second-hello': async () => {
    const as = await credentials();
    const channel = await entered(as);
    const bytes = encode(hello(as.id, { purpose: 'call' }), as.id);
    channel.send(bytes);
    channel.send(bytes);
    return ended(channel);
  },
  /** The bytes of a connection that was let in, once more on another one. */
  replay: async () => {
    const as = await credentials();
    const sent: Buffer[] = [];
    const plain = createConnection(port, host);
    const write = plain._write.bind(plain);
    plain._write = (chunk: Buffer, ...more) => {
      sent.push(Buffer.from(chunk));
      write(chunk, ...more);
    };
    const { promise, resolve } = Promise.withResolvers<void>();
    plain.once('connect', resolve);
    await promise;
    // By way of a stream of our own, so that what is written can be seen.
    const { Duplex } = await import('node:stream');
    const seen = Duplex.from({
      readable: plain,
      writable: async (source: AsyncIterable<Buffer>) => {
        for await (const chunk of source) plain.write(chunk);
      },
    });
    const socket = connect({
      ...as.dialing()[0],
      rejectUnauthorized: false,
      socket: seen,
      ALPNProtocols: [GOSSIP],
    });
    await secured(socket);
    const channel = channelOn(socket);
    await introduceAsDialer(channel, as);
    channel.send(encode(hello(as.id, { purpose: 'call' }), as.id));
    await setTimeout(200);
    const bytes = Buffer.concat(sent);
    plain.destroy();
    const again = createConnection(port, host);
    const end = gone(again);
    again.write(bytes);
    await end;
    return bytes.length;
  },
  'huge-before': async () => {
    const socket = await tls({ ...TLS_OPTIONS, rejectUnauthorized: false });
    const end = gone(socket);
    socket.write(HUGE);
    await end;
  },
  'huge-after': async () => {
    const as = await credentials();
    const channel = await entered(as);
    channel.send(encode(hello(as.id, { purpose: 'call' }), as.id));
    const end = ended(channel);
    channel.send(HUGE);
    return end;
  },
  /** A record that is larger than any may be. */
  oversize: async () => {
    const as = asMember();
    const channel = await entered(as);
    channel.send(encode(hello(as.id), as.id));
    const end = ended(channel);
    const record = [1, 4, 'host/', JSON.stringify('x'.repeat(70_000))];
    channel.send(join(VERSION, 4, [encodeCbor([]), encodeCbor([[[0, 0, 0, [record]]]])]));
    return end;
  },
  silent: async (count: number) => {
    const sockets = Array.from({ length: count }, () => createConnection(port, host));
    await Promise.all(sockets.map(gone));
  },
  /** The beginning of a handshake, a byte at a time, for as long as it lasts. */
  slow: async (count: number) => {
    const greeting = Buffer.from('16030100c8010000c40303', 'hex');
    await Promise.all(
      Array.from({ length: count }, async () => {
        const socket = createConnection({ port, host, noDelay: true });
        let isOver = false;
        const end = gone(socket).then(() => {
          isOver = true;
        });
        for (let at = 0; !isOver; at++) {
          socket.write(greeting.subarray(at % greeting.length, (at % greeting.length) + 1));
          await setTimeout(50);
        }
        await end;
      }),
    );
  },
  /** Known by a certificate, and says nothing. */
  speechless: async () => ended(await entered(await credentials())),
  /** Many of one certificate. */
  many: async (count: number) => {
    const as = await credentials();
    const all = await Promise.allSettled(Array.from({ length: count }, () => entered(as)));
    const refused = all.filter(({ status }) => status === 'rejected').length;
    for (const one of all) if (one.status === 'fulfilled') one.value.destroy('enough');
    return refused;
  },
  /** Bytes by nobody: on TCP, and in TLS without a certificate. */
  'fuzz-strangers': async (count: number, seed: number) => {
    const draw = numbers(seed);
    for (let times = 0; times < count; times++) {
      const bytes = Buffer.from(Array.from({ length: 1 + draw(400) }, () => draw(256)));
      const socket =
        draw(2) === 0
          ? createConnection(port, host)
          : await tls({ ...TLS_OPTIONS, rejectUnauthorized: false });
      const end = gone(socket);
      socket.end(bytes);
      await end;
    }
  },
  /** Frames by the member's own certificate, whole ones and damaged ones. */
  'fuzz-member': async (count: number, seed: number) => {
    const as = asMember();
    const draw = numbers(seed);
    const messages = fc.sample(anyMessage, { seed, numRuns: count });
    let channel: Channel | undefined;
    let connections = 0;
    for (const message of messages) {
      if (message.kind === 'goodbye') continue; // what it says is believed, of a member
      if (!channel || channel.ended) {
        channel = await entered(as);
        connections += 1;
        channel.receive(() => {});
        channel.send(encode(hello(as.id), as.id));
      }
      channel.send(damaged(encode(message, as.id), draw));
      if (draw(4) === 0) await setTimeout(5);
    }
    channel?.destroy('enough');
    return connections;
  },
  /** Writes of the member's own that mean nothing, signed where they have to be: each of these keys and values. */
  poison: async (file: string) => {
    const records = JSON.parse(await readFile(file, 'utf8')) as Poison[];
    const isSigned = ({ key }: Poison) => SEALED.has(namespaceIn(key));
    const isOpen = await poison(records.filter((one) => !isSigned(one)));
    // Each of these may end the connection.
    let ends = 0;
    for (const one of records.filter(isSigned)) if (!(await poison([one]))) ends += 1;
    return { isOpen, ends };
  },
  /** Gives itself what others own, and what is nobody's yet, by its own right name. Whether the link goes on. */
  grants: async (file: string) => {
    const standing = JSON.parse(await readFile(file, 'utf8')) as Standing[];
    const as = asMember();
    const sealer = new Sealer(new IdentitySigner(member), cluster);
    const { channel, vector } = (await linked(as))!;
    const from = vector.get(as.id) ?? 0;
    for (const { seal, ...before } of standing) {
      const version = {
        key: before.key,
        class: 'ownership' as const,
        text: `{"owner":"${as.id}"}`,
        origin: as.id,
        sequence: from + 1,
        rank: before.rank + 1,
      };
      const earlier = { ...before, class: 'ownership' as const, seal: Buffer.from(seal, 'hex') };
      const record = { ...version, seal: sealer.seal(version, before.rank > 0 ? earlier : undefined) };
      const ranges = [{ origin: as.id, from, to: from + 1, records: [record] }];
      channel.send(encode({ kind: 'ranges', ranges }, as.id));
    }
    await setTimeout(1000);
    const isOpen = !channel.ended;
    channel.destroy('enough');
    return isOpen;
  },
  /** Asks as a member: each of these methods and bodies; how each is answered. */
  asks: async (file: string) => answersTo(asMember(), JSON.parse(await readFile(file, 'utf8')) as Asked[]),
  /** Somebody new would be let in under the member's key. */
  'asks-in': async () => {
    const as = await credentials();
    const key = Buffer.from(member.publicKey.export({ type: 'spki', format: 'der' })).toString('base64');
    return answersTo(as, [['admit', { id: as.id, key }]]);
  },
  /** Promises what it is asked to, in a way that cannot be read; how often. */
  promises: async () => {
    const as = asMember();
    const channel = await entered(as);
    const { promise, resolve } = Promise.withResolvers<void>();
    channel.onEnd(() => resolve());
    channel.receive((frame) => {
      const message = decode(frame, as.id);
      if (message?.kind !== 'request') return;
      const { id, method } = message;
      const loans = [{ space: 's', value: 'x', nonce: 'n' }];
      const body = { vector: {}, members: [], again: [], loans };
      const error = { code: 'NR_METHOD_UNKNOWN', what: 'so it is' };
      const answer = method === 'promise' ? { body } : { error };
      channel.send(encode({ kind: 'reply', id, ...answer }, as.id));
      if (method === 'promise') resolve();
    });
    channel.send(encode(hello(as.id), as.id));
    await promise;
    await setTimeout(500); // it is read before the end of the connection is
    const isOpen = !channel.ended;
    channel.destroy('enough');
    return isOpen;
  },
};

type Asked = readonly [method: string, body: unknown];

/** The codes of the errors that requests were answered with, or what else. */
async function answersTo(as: CertifiedCredentials, asked: readonly Asked[]): Promise<string[]> {
  const channel = await entered(as);
  const answers: string[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  channel.onEnd((reason) => reject(new Error(`it has ended: ${reason}`)));
  channel.receive((frame) => {
    const message = decode(frame, as.id);
    if (message?.kind !== 'reply') return;
    answers[message.id] = message.error?.code ?? `done ${JSON.stringify(message.body)}`;
    if (Object.keys(answers).length === asked.length) resolve();
  });
  channel.send(encode(hello(as.id, { purpose: 'call' }), as.id));
  for (const [id, [method, body]] of asked.entries())
    channel.send(encode({ kind: 'request', id, method, body }, as.id));
  await promise;
  channel.destroy('enough');
  return answers;
}

/** A version of a record of ownership as a member's store has it; its seal in hex. */
interface Standing {
  readonly key: string;
  readonly text: string;
  readonly origin: string;
  readonly sequence: number;
  readonly rank: number;
  readonly seal: string;
}

interface Poison {
  readonly key: string;
  readonly kind: Class;
  readonly text?: string;
}

/** A link, and what the other side knows; undefined while that one believes it nothing. */
async function linked(as: CertifiedCredentials) {
  const channel = await entered(as);
  const heard = hearing(channel, as.id);
  channel.send(encode(hello(as.id), as.id));
  try {
    return { channel, ...(await heard) };
  } catch (error) {
    if (String(error).includes('NR_RECORD_FORGED')) return undefined;
    throw error;
  }
}

/** Sends these as the member's next writes. Whether the connection is open after that. */
async function poison(records: readonly Poison[]): Promise<boolean> {
  const as = asMember();
  const sealer = new Sealer(new IdentitySigner(member), cluster);
  const link = await linked(as);
  if (!link) return false;
  const { channel, vector } = link;
  let sequence = vector.get(as.id) ?? 0;
  const stamp = Math.floor((Date.now() - Date.UTC(2020, 0, 1)) * 4096);
  for (const { key: pattern, kind, text: value } of records) {
    const key = pattern.replace('SELF', as.id);
    const from = sequence++;
    const rank = kind === 'owned' ? sequence : kind === 'ownership' ? 1 : stamp + sequence;
    const plain = { key, class: kind, text: value, origin: as.id, sequence, rank };
    const record = SEALED.has(namespaceIn(key)) ? { ...plain, seal: sealer.seal(plain, undefined) } : plain;
    channel.send(
      encode({ kind: 'ranges', ranges: [{ origin: as.id, from, to: sequence, records: [record] }] }, as.id),
    );
  }
  // What was sent is read before the end of the connection is.
  await setTimeout(records.length > 1 ? 1000 : 50);
  const isOpen = !channel.ended;
  const end = new Promise<void>((resolve) => channel.onEnd(() => resolve()));
  channel.close('done');
  await end;
  return isOpen;
}

/** An empty introduction, as who has a certificate sends it. */
function encodeIntroduction(): Uint8Array {
  return Uint8Array.from([0, 0, 0, 3, 1, 0x41, 0x80]);
}

/** One of two stays as it is; of others bytes are changed, left out or put in, with the length right or not. */
function damaged(bytes: Uint8Array, draw: (below: number) => number): Uint8Array {
  if (draw(2) === 0) return bytes;
  const copy = [...bytes];
  for (let times = 1 + draw(4); times > 0; times--) {
    const at = 4 + draw(Math.max(1, copy.length - 4));
    const way = draw(3);
    if (way === 0) copy[at] = draw(256);
    else if (way === 1) copy.splice(at, 1 + draw(8));
    else copy.splice(at, 0, ...Array.from({ length: 1 + draw(8) }, () => draw(256)));
  }
  const made = Uint8Array.from(copy);
  if (draw(8) !== 0) new DataView(made.buffer).setUint32(0, Math.max(0, made.length - 4));
  return made;
}

const results: unknown[] = [];
for (const [name, ...more] of order.acts) {
  try {
    results.push((await ACTS[name]!(...(more as never[]))) ?? null);
  } catch (error) {
    results.push(`threw ${error instanceof Error ? error.stack : error}`);
  }
}
process.stdout.write(JSON.stringify(results), () => process.exit(0));
