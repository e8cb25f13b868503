import { createHash } from 'node:crypto';
import { networkInterfaces } from 'node:os';
import multicastDns from 'multicast-dns';
import { Address } from '../../net/address.ts';
import type { Place } from '../../net/place.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Addresses } from '../node/node.ts';

const GROUP = '224.0.0.251';
const GROUP_V6 = 'ff02::fb';
const SERVICE = '_net-routed._tcp.local';
/** How long what was heard of a host is believed, in seconds, and how often it is asked for while that is known. */
const TTL_S = 120;
const ASK_FIRST_MS = 1000;
const ASK_MAX_MS = 30_000;
/** Answers go to all on the link, so that one for many questions is enough; in milliseconds. */
const ANSWER_MS = 500;
/** Places that are kept, the newest: anybody on the link can name some. */
const PLACES_MAX = 64;
/** Records of one packet that are looked at: a host says four. */
const RECORDS_MAX = 256;
/** Pause after the socket could not be used, in milliseconds. */
const AGAIN_MS = 5000;

type Socket = ReturnType<typeof multicastDns>;
type Answer = NonNullable<multicastDns.ResponsePacket['answers']>[number];
/** One whose data are a name or an address. */
type Named = Answer & { readonly data: string; readonly ttl?: number };

interface Options {
  /** UUID. What is said on the link is a hash of it. */
  readonly cluster: string;
  /** The address by whose link others are looked for, and of whose family. */
  readonly address: string;
  /** Where this host can be found; undefined while it is no member. Without an address of the family, at that of the link. */
  readonly self: () => Self | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

interface Self extends Addresses {
  readonly id: string;
  readonly port: number;
}

interface Found extends Place {
  readonly until: number;
}

/**
 * Finds hosts of the cluster on one link, by multicast DNS (RFC 6762, RFC 6763), and is found by them. Anybody can
 * answer: what is found is tried as a seed is, where TLS shows who it is.
 */
export class Mdns {
  readonly #options: Options;
  readonly #label: string;
  readonly #isV6: boolean;
  readonly #found = new Map<string, Found>();
  #socket: Socket | undefined;
  #pauseMs = ASK_FIRST_MS;
  /** The address is of no interface, which was logged. */
  #isMissing = false;
  #answeredAt = Number.NEGATIVE_INFINITY;
  #cancel = () => {};
  #stopped = false;

  constructor(options: Options) {
    this.#options = options;
    this.#isV6 = options.address.includes(':');
    this.#label = createHash('sha256')
      .update(`net-routed mdns ${options.cluster}`)
      .digest('hex')
      .slice(0, 16);
    this.#open();
  }

  /** Where members were heard of lately. */
  places(): Place[] {
    const now = this.#options.clock.now();
    for (const [name, { until }] of this.#found) if (until < now) this.#found.delete(name);
    return [...this.#found.values()].map(({ address, port }) => ({ address, port }));
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
    this.#close();
  }

  #open(): void {
    const { address, log } = this.#options;
    const link = linkOf(address);
    if (!link) {
      if (!this.#isMissing)
        log.warn({ address }, 'cannot use multicast DNS, as no interface has this address, and tries again');
      this.#isMissing = true;
      return this.#later(AGAIN_MS, () => this.#open());
    }
    this.#isMissing = false;
    // Bound to the group it hears what was sent to that, which no router passes on: RFC 6762, 11 has all else ignored.
    // By its source nothing could be told, as hosts of one link may be of different prefixes.
    const socket = multicastDns(link);
    this.#socket = socket;
    socket.on('query', ({ questions = [] }) => {
      if (questions.some(({ name, type }) => same(name, SERVICE) && ['PTR', 'ANY'].includes(type)))
        this.#answer();
    });
    socket.on('response', ({ answers = [], additionals = [] }, from) =>
      this.#hear([...answers, ...additionals], from.address),
    );
    socket.on('warning', (error: Error) => log.debug({ err: error, address }, 'multicast DNS'));
    socket.on('error', (error: Error) => {
      log.warn({ err: error, address }, 'cannot use multicast DNS, and tries again');
      this.#close();
      this.#later(AGAIN_MS, () => this.#open());
    });
    socket.on('ready', () => {
      this.#pauseMs = ASK_FIRST_MS;
      this.#answer();
      this.#ask();
    });
  }

  #ask(): void {
    this.#socket?.query([{ name: SERVICE, type: 'PTR' }]);
    // Who knows nobody goes on asking.
    this.#pauseMs = this.places().length > 0 ? Math.min(ASK_MAX_MS, this.#pauseMs * 2) : ASK_FIRST_MS;
    this.#later(this.#pauseMs, () => this.#ask());
  }

  #answer(): void {
    const { self, address, clock } = this.#options;
    const here = self();
    if (!here || clock.now() - this.#answeredAt < ANSWER_MS) return;
    this.#answeredAt = clock.now();
    const [ttl, instance, target] = [TTL_S, `${here.id}.${SERVICE}`, `${here.id}.local`];
    const [type, own] = this.#isV6 ? (['AAAA', here.addressV6] as const) : (['A', here.address] as const);
    const answers: Answer[] = [{ name: SERVICE, type: 'PTR', ttl, data: instance }];
    const additionals: Answer[] = [
      { name: instance, type: 'SRV', ttl, data: { port: here.port, target } },
      { name: instance, type: 'TXT', ttl, data: [`cluster=${this.#label}`] },
      { name: target, type, ttl, data: own ?? address },
    ];
    this.#socket?.respond({ answers, additionals });
  }

  #hear(records: readonly Answer[], from: string): void {
    const { clock, self } = this.#options;
    const some = records.slice(0, RECORDS_MAX);
    const byName = new Map(some.map((one) => [keyOf(one.type, one.name), one]));
    for (const { data: instance, ttl } of some.filter(isService)) {
      const [srv, txt] = [byName.get(keyOf('SRV', instance)), byName.get(keyOf('TXT', instance))];
      if (srv?.type !== 'SRV' || txt?.type !== 'TXT') continue;
      if (!textsOf(txt.data).includes(`cluster=${this.#label}`)) continue;
      const { port, target } = srv.data;
      const named = byName.get(keyOf(this.#isV6 ? 'AAAA' : 'A', target)) as Named | undefined;
      const address = Address.tryParse(named?.data ?? from)?.toString();
      if (address === undefined || port < 1 || same(instance, `${self()?.id}.${SERVICE}`)) continue;
      this.#found.delete(instance);
      if ((ttl ?? TTL_S) === 0) continue;
      // The oldest goes: it comes again if it is there.
      const [oldest] = this.#found.keys();
      if (oldest !== undefined && this.#found.size >= PLACES_MAX) this.#found.delete(oldest);
      this.#found.set(instance, { address, port, until: clock.now() + TTL_S * 1000 });
    }
  }

  #close(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.removeAllListeners();
    // What goes wrong now concerns nobody.
    socket?.on('error', () => {});
    socket?.destroy();
  }

  #later(ms: number, call: () => void): void {
    this.#cancel();
    if (!this.#stopped) this.#cancel = this.#options.clock.after(ms, call);
  }
}

/** How to speak on the link of an address; undefined where no interface has it. */
function linkOf(address: string): multicastDns.Options | undefined {
  if (!address.includes(':')) return { interface: address, bind: GROUP };
  const has = ([, all = []]: [string, ReturnType<typeof networkInterfaces>[string]]) =>
    all.some((one) => one.address === address);
  const [name] = Object.entries(networkInterfaces()).find(has) ?? [];
  if (name === undefined) return undefined;
  return { type: 'udp6', ip: GROUP_V6, interface: `::%${name}`, bind: `${GROUP_V6}%${name}` };
}

function isService(record: Answer): record is Named {
  return record.type === 'PTR' && same(record.name, SERVICE);
}

/** Names of the DNS are the same whatever case they are written in. */
function same(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

function keyOf(type: Answer['type'], name: string): string {
  return `${type} ${name.toLowerCase()}`;
}

function textsOf(data: unknown): string[] {
  return (Array.isArray(data) ? data : [data]).map(String);
}
