import { CodedError } from '../../errors.ts';
import type { Place } from '../../net/place.ts';
import { wallOf } from '../../ports/clock.ts';
import type { Json } from '../../ports/store.ts';
import type { Hello, Message, Request } from '../../store/gossip/messages.ts';
import type { Connection, Transport } from '../../store/gossip/transport.ts';
import { FrameError } from '../../store/gossip/wire/error.ts';
import type { Replica } from '../../store/replica.ts';
import type { Gossip, GossipMessage } from '../gossip/gossip.ts';
import type { Cluster } from '../protocol/cluster.ts';
import type { Verdict } from '../protocol/greeting.ts';
import type { Answer, Calls, Done, Ground, Method } from '../protocol/ports.ts';
import { Dialler } from './dialler.ts';
import { Door, type Farewell, farewell } from './door.ts';
import { Outdated } from './outdated.ts';
import { PeerClocks } from './peerclocks.ts';
import { Requests } from './requests.ts';
import type { Found, Session } from './session.ts';

/** Links that each host opens, if there are so many others. */
const DEGREE = 3;
const KEEP_MS = 500;
/** A link to somebody else is tried so often: what is linked among itself would never hear of the others. */
const ROTATE_MS = 10_000;
/** Until the other side has said hello, and until a connection for requests that is not used is closed. */
const HELLO_MS = 5000;
const IDLE_MS = 60_000;
/** A connection that ends sooner counts as one that could not be made. */
const STABLE_MS = 5000;
/** Who was not heard for so long is not taken for a second one of its identity that is still there. */
const SILENT_MS = 60_000;

/** The connections of this host to others: a few are kept for gossip, others are made when somebody is asked. */
export class Connections implements Calls {
  readonly #transport: Transport;
  readonly #replica: Replica;
  readonly #ground: Omit<Ground, 'calls'>;
  readonly #uuid: string;
  readonly #seeds: () => Iterable<Place>;
  readonly #methods: ReadonlyMap<string, Method>;
  readonly #refused: (reason: string, remote: string) => void;
  readonly #founder: () => string | undefined;
  readonly #isAway: (member: string) => boolean;
  readonly #requests: Requests;
  readonly #dialler: Dialler;
  readonly #clocks: PeerClocks;
  readonly #outdated = new Outdated();
  readonly #sessions = new Set<Session>();
  readonly #stops: (() => void)[] = [];
  #parts: { readonly cluster: Cluster; readonly gossip: Gossip; readonly door: Door } | undefined;
  #rotateAt = 0;
  #stopped = false;
  #cancel = () => {};

  constructor(parts: {
    transport: Transport;
    replica: Replica;
    ground: Omit<Ground, 'calls'>;
    /** UUID of the cluster. */
    uuid: string;
    /** Where a member says that it can be reached. */
    placeOf: (member: string) => Place | undefined;
    /** Where others may be while nobody is linked. */
    seeds: () => Iterable<Place>;
    /** What hosts ask each other for besides the protocol, newcomers as well. */
    methods?: ReadonlyMap<string, Method>;
    /** Told of one that was not let in, by its first words: a word for why, and an address with port. */
    refused?: (reason: string, remote: string) => void;
    /** Who made the cluster; undefined until that is known. */
    founder?: () => string | undefined;
    /** Whether it is no use to dial a member before others. A hint: it is dialled all the same, later. */
    isAway?: (member: string) => boolean;
  }) {
    this.#refused = parts.refused ?? (() => {});
    this.#founder = parts.founder ?? (() => undefined);
    this.#isAway = parts.isAway ?? (() => false);
    this.#methods = parts.methods ?? new Map();
    this.#transport = parts.transport;
    this.#replica = parts.replica;
    this.#ground = parts.ground;
    this.#uuid = parts.uuid;
    this.#seeds = parts.seeds;
    const { transport, ground, placeOf } = parts;
    this.#requests = new Requests(ground.timer);
    this.#clocks = new PeerClocks(ground.timer);
    const greet = (connection: Connection, purpose: Hello['purpose'], done: Found) =>
      this.#greet(connection, purpose, done);
    this.#dialler = new Dialler({ transport, ground, placeOf, greet });
  }

  /** Begins to let others in, and to keep links to some. */
  start(cluster: Cluster, gossip: Gossip): void {
    const door = new Door({
      self: this.#transport.id,
      uuid: this.#uuid,
      replica: this.#replica,
      cluster,
      clock: this.#ground.timer,
      founder: this.#founder,
    });
    this.#parts = { cluster, gossip, door };
    this.#transport.onConnection((connection) => this.#greet(connection, undefined, () => {}));
    this.#stops.push(
      this.#replica.observe('gone', () => this.#review()),
      this.#replica.observe('promise', () => this.#review()),
    );
    this.#keep();
  }

  /** Members that a connection is open with, and whether one of these is a link. */
  get peers(): ReadonlyMap<string, { readonly isLinked: boolean }> {
    const peers = new Map<string, { isLinked: boolean }>();
    for (const { peer, link } of this.#sessions)
      peers.set(peer, { isLinked: link !== undefined || (peers.get(peer)?.isLinked ?? false) });
    return peers;
  }

  /** Members with a connection that is like this. */
  peersOf(isLike: (connection: Connection) => boolean): string[] {
    return [...this.#sessions].filter(({ connection }) => isLike(connection)).map(({ peer }) => peer);
  }

  /** Starts of a member that a connection is open with, and was heard on a moment ago. */
  boots(member: string): string[] {
    const before = this.#ground.timer.now() - SILENT_MS;
    return [...this.#sessions]
      .filter(({ peer, lastUse, isSuspect }) => peer === member && lastUse > before && !isSuspect)
      .map(({ hello }) => hello.boot);
  }

  /** When a member was last heard on a connection, and by how much its clock was ahead of ours, in milliseconds. */
  heard(member: string): { readonly at: number; readonly offsetMs: number } | undefined {
    return this.#clocks.of(member);
  }

  /** By how much the clocks of those that a connection is open with are ahead of ours, in milliseconds. */
  *offsets(): Iterable<number> {
    for (const peer of this.peers.keys()) yield this.heard(peer)!.offsetMs;
  }

  /** Why there is no connection to a member, if one was tried. */
  trouble(member: string): string | undefined {
    return this.#dialler.trouble(member);
  }

  ask(member: string, method: string, body: Json, ms: number, done: Done<Answer>): void {
    let used: Session | undefined;
    const late = () => {
      if (used && used.lastUse <= askedAt) used.isSuspect = true;
    };
    const askedAt = this.#ground.timer.now();
    const request = this.#requests.open(member, { method, body, ms }, done, late);
    this.#withSession(member, (session) => {
      used = session;
      this.#pose(request, session);
    });
  }

  /** Has connections of this host that were made otherwise than they would be now replaced, by and by. */
  renew(isOutdated: (connection: Connection) => boolean): void {
    this.#outdated.begin(this.#ground.timer.now(), isOutdated);
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
    this.#dialler.stop();
    for (const stop of this.#stops) stop();
    for (const { connection } of [...this.#sessions]) connection.close('this host stops');
    this.#requests.stop();
  }

  #keep(): void {
    if (this.#stopped) return;
    const now = this.#ground.timer.now();
    for (const session of [...this.#sessions])
      if (!session.link && session.lastUse < now - IDLE_MS) this.#close(session, 'not used any more');
    const { cluster, door } = this.#parts!;
    const { members, standing } = cluster;
    const linked = new Set(this.#links().map(({ peer }) => peer));
    const others = members
      .present()
      .map(({ id }) => id)
      .filter((id) => id !== this.#transport.id && !linked.has(id) && this.#dialler.isReady(id))
      .filter((id) => !standing.frozen(id) && !door.isDistrusted(id));
    const rotates = now >= this.#rotateAt;
    if (rotates) this.#rotateAt = now + ROTATE_MS * (0.5 + this.#ground.random());
    const isFull = this.#links().filter(({ connection }) => connection.dialed).length >= DEGREE;
    // No links, and so nothing told, before it is known that this host is who it was.
    if (!standing.starting && !standing.halted) {
      const areUnlinked = others.length > 0;
      // A rotation tries anybody: who seems to be away may be on the other side of a cut that is none any more.
      const there = rotates ? [] : others.filter((id) => !this.#isAway(id));
      const next =
        rotates || !isFull ? (this.#dialler.anyOf(there) ?? this.#dialler.anyOf(others)) : undefined;
      if (next !== undefined) this.#dialler.dial(next, 'link', () => this.#thin());
      // Those that are linked may be as cut off from the rest as this host, which nobody has told where they are.
      if (linked.size === 0 || (rotates && areUnlinked && next === undefined))
        this.#dialler.dialAll(this.#seeds());
      this.#renewOutdated();
    }
    this.#cancel = this.#ground.timer.after(KEEP_MS * (0.5 + this.#ground.random()), () => this.#keep());
  }

  /**
   * A link is dialled anew until that succeeds; the older one ends when the newer is there. Others end when they are not
   * used.
   */
  #renewOutdated(): void {
    const now = this.#ground.timer.now();
    for (const session of [...this.#sessions].filter((one) => this.#outdated.isDue(one, now))) {
      const { peer, link } = session;
      if (!link) {
        if ([...this.#requests.of(peer)].length === 0) this.#close(session, 'another secret took its place');
      } else if (this.#dialler.isReady(peer)) this.#dialler.dial(peer, 'link', () => {});
    }
  }

  #links(): Session[] {
    return [...this.#sessions].filter(({ link }) => link);
  }

  /** Of more links than this host has to open, the oldest goes; first of those that are off the tree. */
  #thin(): void {
    const opened = this.#links().filter(({ connection }) => connection.dialed);
    const surplus = opened.find(({ link }) => !link?.isInTree) ?? opened[0];
    if (surplus && opened.length > DEGREE) this.#close(surplus, 'another one took its place');
  }

  #withSession(member: string, call: Found): void {
    const session = this.#sessionWith(member);
    if (session) call(session);
    else this.#dialler.dial(member, 'call', call);
  }

  #sessionWith(member: string): Session | undefined {
    return [...this.#sessions].find(({ peer, isSuspect }) => peer === member && !isSuspect);
  }

  /** Both say hello; what the other says decides whether it comes in. `purpose`: undefined for one that called us. */
  #greet(connection: Connection, purpose: Hello['purpose'] | undefined, done: Found): void {
    const { door } = this.#parts!;
    if (!door.isOpen) {
      connection.close('this start is not on disk yet');
      return done(undefined);
    }
    let session: Session | undefined;
    let isAnswered = false;
    const finish: Found = (result) => {
      if (isAnswered) return;
      isAnswered = true;
      cancel();
      done(result);
    };
    const refused = (reason: string) => this.#refused(reason, connection.remote);
    const cancel = this.#ground.timer.after(HELLO_MS, () => {
      refused('speechless');
      connection.close('no hello came');
    });
    connection.onClose(() => {
      finish(undefined);
      if (session && this.#sessions.has(session)) this.#broke(session);
    });
    if (purpose !== undefined) connection.send(door.hello(purpose));
    connection.onMessage((message) => {
      if (session) return this.#take(session, message);
      if (message.kind === 'goodbye') return this.#heardGoodbye(connection, message.code, message.what);
      if (message.kind !== 'hello') {
        refused('no-hello');
        return connection.close('the first word was no hello');
      }
      if (purpose === undefined) connection.send(door.hello(message.purpose));
      if (!this.#letsIn(connection, message)) return finish(undefined);
      session = this.#opened(connection, message, purpose ?? message.purpose);
      finish(session);
    });
  }

  #letsIn(connection: Connection, hello: Hello): boolean {
    const { door } = this.#parts!;
    const { peer } = connection;
    if (door.isMyself(peer, hello)) {
      connection.close('this is myself');
      return false;
    }
    const objection = door.objection(peer, hello, this.boots(peer));
    if (!objection) return true;
    this.#refused(objection.reason, connection.remote);
    this.#sayFarewell(connection, objection);
    connection.close(objection.what);
    return false;
  }

  #opened(connection: Connection, hello: Hello, purpose: Hello['purpose']): Session {
    const now = this.#ground.timer.now();
    const peer = connection.peer;
    this.#clocks.heard(peer, hello.wallMs);
    // Who reaches us can be reached.
    if (!connection.dialed) this.#dialler.succeeded(peer);
    const wire = {
      get waiting() {
        return connection.buffered;
      },
      send: (message: GossipMessage) => {
        // Clocks may be set while they are connected.
        const timed =
          message.kind === 'probe' ? { ...message, wallMs: Math.round(wallOf(this.#ground.timer)) } : message;
        this.#send(connection, timed);
      },
      refuse: (verdict: Verdict) => this.#dismiss(session, farewell(peer, verdict)),
      distrust: ({ code, what }: CodedError) => {
        this.#parts!.door.distrust(peer);
        this.#ground.log.warn({ peer, code, what }, 'a member tells what is not true');
        this.#dismiss(session, { code, what });
      },
    };
    const link = purpose === 'link' ? this.#parts!.gossip.connected(peer, wire) : undefined;
    const session: Session = { connection, peer, hello, since: now, link, lastUse: now, isSuspect: false };
    this.#sessions.add(session);
    if (link) this.#single(session);
    return session;
  }

  /**
   * One link to each peer is enough. When both have dialled, both ends keep the one that the lower id opened; else the
   * newer one, as the other end may have forgotten the older.
   */
  #single(newer: Session): void {
    const older = this.#links().find((one) => one !== newer && one.peer === newer.peer);
    if (!older) return;
    const mine = this.#transport.id < newer.peer;
    const isSame = older.connection.dialed === newer.connection.dialed;
    const surplus = isSame || newer.connection.dialed === mine ? older : newer;
    this.#close(surplus, 'there are two');
  }

  #take(session: Session, message: Message): void {
    const { connection, peer } = session;
    session.lastUse = this.#ground.timer.now();
    session.isSuspect = false;
    this.#clocks.heard(peer, message.kind === 'probe' ? message.wallMs : undefined);
    switch (message.kind) {
      case 'request':
        return this.#serve(session, message);
      case 'reply':
        return this.#requests.replied(peer, message);
      case 'goodbye':
        return this.#heardGoodbye(connection, message.code, message.what);
      case 'hello':
        this.#refused('second-hello', connection.remote);
        return this.#close(session, 'a second hello');
      default:
        session.link?.take(message);
    }
  }

  #serve(session: Session, { id, method, body }: Request): void {
    const { cluster } = this.#parts!;
    const serve = this.#methods.get(method);
    const done: Done<Answer> = (error, answer) => {
      if (!this.#sessions.has(session)) return;
      const failed = (code: CodedError['code'], what: string) =>
        this.#send(session.connection, { kind: 'reply', id, error: { code, what } });
      if (error) return void failed(error.code, error.what);
      const { body: value, ranges } = answer ?? {};
      const reply = {
        kind: 'reply',
        id,
        ...(value !== undefined && { body: value }),
        ...(ranges && { ranges }),
      };
      if (!this.#send(session.connection, reply as Message))
        failed('NR_INTERNAL', `the answer to ${method} is too large`);
    };
    if (!serve) return cluster.serve(method, session.peer, body as Json, done);
    try {
      serve(session.peer, body as Json, done);
    } catch (cause) {
      const invalid = new CodedError('NR_REQUEST_INVALID', `${method} cannot be understood`, { cause });
      done(cause instanceof CodedError ? cause : invalid);
    }
  }

  /** What others say of this host: that it is not who it thinks it is. */
  #heardGoodbye(connection: Connection, code: string, what: string): void {
    // Who was sent away would have everybody stop.
    if (this.#parts!.cluster.members.gone(connection.peer)) {
      this.#refused('gone', connection.remote);
      return connection.close('gone');
    }
    this.#parts!.door.told(code);
    this.#ground.log.info({ peer: connection.peer, code, what }, 'a member ended the connection');
    connection.close(what);
  }

  /** Ends connections with those who may not have them any more. */
  #review(): void {
    const { members, standing } = this.#parts!.cluster;
    for (const session of [...this.#sessions]) {
      const { peer, link } = session;
      if (members.gone(peer)) {
        const what = `${peer} is not a member any more`;
        this.#dismiss(session, { ...farewell(peer, 'gone'), what }, 'gone');
      } else if (link && standing.frozen(peer)) this.#close(session, 'being forgotten');
    }
  }

  /** This host ends it, and tells the other one why. */
  #dismiss(session: Session, farewell: Farewell, why = farewell.what): void {
    this.#sayFarewell(session.connection, farewell);
    this.#close(session, why);
  }

  #sayFarewell(connection: Connection, { code, what }: Farewell): void {
    this.#send(connection, { kind: 'goodbye', code, what });
  }

  /** This host ends it. */
  #close(session: Session, why: string): void {
    this.#remove(session);
    session.connection.close(why);
  }

  /** It has ended without this host's doing. */
  #broke(session: Session): void {
    const { connection, peer, since } = session;
    this.#remove(session);
    if (this.#stopped || !connection.dialed || this.#sessionWith(peer)) return;
    if (this.#ground.timer.now() - since < STABLE_MS)
      this.#dialler.failed(peer, 'the connection ended at once');
    else this.#dialler.succeeded(peer);
  }

  #remove(session: Session): void {
    const { link, peer } = session;
    this.#sessions.delete(session);
    link?.ended();
    if (this.#stopped) return;
    // Every request may be asked again, and the answer may have been lost.
    const other = this.#sessionWith(peer);
    for (const request of this.#requests.of(peer)) this.#pose(request, other);
  }

  #pose(request: Request, session: Session | undefined): void {
    if (!this.#requests.isOpen(request)) return;
    if (!session) this.#requests.fail(request.id, 'cannot be reached');
    else if (!this.#send(session.connection, request))
      this.#requests.fail(request.id, 'cannot be asked so much');
  }

  /** False for what is too large for a frame. */
  #send(connection: Connection, message: Message): boolean {
    try {
      connection.send(message);
      return true;
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#ground.log.warn(
        { err: error, peer: connection.peer, kind: message.kind },
        'a message cannot be sent',
      );
      // What is left out of a link comes never; what is asked or answered is told to be too large.
      if (message.kind !== 'request' && message.kind !== 'reply')
        connection.close('a message cannot be sent');
      return false;
    }
  }
}
