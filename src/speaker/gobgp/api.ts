import { Prefix } from '../../net/prefix.ts';
import type { Identity } from '../../ports/speaker.ts';
import type { LargeCommunity } from '../holder.ts';
import type { Answer, Client } from './client.ts';
import { type Attributes, type Dialect, family, familyOf } from './dialect.ts';
import type { Message } from './encode.ts';

/** GoBGP's origin of what comes from another protocol: incomplete, as every router's redistribution says. */
const ORIGIN_INCOMPLETE = 2;
/** Paths in one message of a stream: more is no faster, fewer is slower. */
const BATCH = 100;

/** A path as it is to be originated. */
export interface Origination {
  readonly prefix: Prefix;
  readonly nextHop: string;
  readonly communities: readonly LargeCommunity[];
}

/** A path in the engine's table. */
export interface EnginePath {
  readonly prefix: string;
  readonly withdrawn: boolean;
  /** Originated here; else from the peer with the address `neighbor` (without zone) and router id `routerId`. */
  readonly local: boolean;
  readonly neighbor: string;
  readonly routerId: string;
  readonly sourceAs: number;
  readonly attributes: Attributes;
}

/** The calls to one engine, the same for both versions of its API. Errors are those of Client.call. */
export class Api {
  readonly dialect: Dialect;
  readonly client: Client;

  constructor(dialect: Dialect, client: Client) {
    this.dialect = dialect;
    this.client = client;
  }

  /** Who the engine is; undefined when it was not told yet. `deadline` in milliseconds. */
  async identity(deadline?: number): Promise<Identity | undefined> {
    const { global } = await this.client.call('GetBgp', {}, deadline);
    if (!global?.asn) return undefined;
    return {
      asn: global.asn,
      routerId: global.router_id ?? '',
      // GoBGP writes -1 for no port, and takes 0 for 179.
      listenPort: Math.max(0, global.listen_port ?? 0),
      listenAddresses: global.listen_addresses ?? [],
    };
  }

  async introduce(identity: Identity): Promise<void> {
    await this.client.call('StartBgp', {
      global: {
        asn: identity.asn,
        router_id: identity.routerId,
        listen_port: identity.listenPort || -1,
        listen_addresses: [...identity.listenAddresses],
      },
    });
  }

  async originate(path: Origination): Promise<void> {
    await this.client.call('AddPath', { table_type: this.dialect.names.global, path: this.#path(path) });
  }

  async withdraw(prefix: Prefix): Promise<void> {
    await this.client.call('DeletePath', {
      table_type: this.dialect.names.global,
      family: familyOf(prefix),
      path: this.#withdrawal(prefix),
    });
  }

  /** Many at once. The engine tells of no single failure: count, or read back. */
  async originateAll(puts: readonly Origination[], removals: readonly Prefix[]): Promise<void> {
    const paths = [
      ...removals.map((prefix) => this.#withdrawal(prefix)),
      ...puts.map((put) => this.#path(put)),
    ];
    const requests = Array.from({ length: Math.ceil(paths.length / BATCH) }, (_, at) => ({
      table_type: this.dialect.names.global,
      paths: paths.slice(at * BATCH, (at + 1) * BATCH),
    }));
    await this.client.send('AddPathStream', requests);
  }

  /** How many paths there are of both families, from everywhere. */
  async count(): Promise<number> {
    const of = async (number: 4 | 6): Promise<number> => {
      const request = { table_type: this.dialect.names.global, family: family(number) };
      return (await this.client.call('GetTable', request)).num_path ?? 0;
    };
    return (await of(4)) + (await of(6));
  }

  /** All paths of one family, from everywhere. */
  async paths(number: 4 | 6): Promise<EnginePath[]> {
    const answers = await this.client.list('ListPath', {
      table_type: this.dialect.names.global,
      family: family(number),
    });
    return answers.flatMap(({ destination }) =>
      (destination?.paths ?? []).flatMap((path: Answer) => this.pathOf(path) ?? []),
    );
  }

  /**
   * Tells of every path that peers announce or withdraw, after the import policy, and of peers whose state changes.
   * `ready` is called once nothing can be missed any more. Returns the way to stop.
   */
  watch(
    on: { ready(): void; paths(paths: EnginePath[]): void; peer(): void },
    ended: (error: Error) => void,
  ): () => void {
    const { postPolicy, endOfInit } = this.dialect.names;
    const request = { peer: {}, table: { filters: [{ type: postPolicy, init: false }] } };
    return this.client.watch(
      'WatchEvent',
      request,
      ({ table, peer }) => {
        if (table) on.paths(table.paths.flatMap((path: Answer) => this.pathOf(path) ?? []));
        else if (peer?.type === endOfInit) on.ready();
        else if (peer) on.peer();
      },
      ended,
    );
  }

  pathOf(path: Answer): EnginePath | undefined {
    const text = this.dialect.prefixOf(path);
    if (text === undefined) return undefined;
    const neighbor = String(path.neighbor_ip ?? '').replace(/%.*$/, '');
    return {
      prefix: Prefix.parse(text).toString(),
      withdrawn: path.is_withdraw === true,
      // What was originated here has no neighbour; version 3 prints Go's nil address.
      local: neighbor === '' || neighbor === '<nil>',
      neighbor,
      routerId: path.source_id ?? '',
      sourceAs: path.source_asn ?? 0,
      attributes: this.dialect.attributesOf(path),
    };
  }

  #path({ prefix, nextHop, communities }: Origination): Message {
    return {
      nlri: this.dialect.nlri(prefix),
      pattrs: this.dialect.attributes(ORIGIN_INCOMPLETE, nextHop, prefix, communities),
      family: familyOf(prefix),
    };
  }

  #withdrawal(prefix: Prefix): Message {
    // The engine wants attributes even here, and looks at none of them.
    const unspecified = prefix.family === 4 ? '0.0.0.0' : '::';
    return {
      nlri: this.dialect.nlri(prefix),
      pattrs: this.dialect.attributes(ORIGIN_INCOMPLETE, unspecified, prefix, []),
      family: familyOf(prefix),
      is_withdraw: true,
    };
  }
}
