import { type Exchange, methodOf, type Reply, type Running, Wire } from './harness.ts';

type Json = Record<string, unknown>;

/** What is typed otherwise here than when it was recorded: there is one tenant, and an option's name was wrong. */
const TYPED = [
  ['"tenant":"red"', '"tenant":"default"'],
  ['com.medallia.routed.network.ingress-allowed', 'com.medallia.routed.network.ingressAllowed'],
] as const;

/**
 * A dockerd that says what was recorded of one, but by the ids and addresses that it is answered now and not by
 * those of the recording: it gives back what it was given.
 */
export class Dockerd {
  /** What it believes to exist. */
  readonly networks = new Set<string>();
  readonly endpoints = new Set<string>();
  /** Body of the last request. */
  last: Json = {};
  readonly #servers: Readonly<Record<Exchange['socket'], Running>>;
  readonly #wires = new Map<string, Wire>();
  /** By the id of the recording: a pool's own id, its CIDR and its gateway. */
  readonly #pools = new Map<string, { id: string; pool: string; gateway: string }>();
  /** By the CIDR of the recording. */
  readonly #addresses = new Map<string, string>();
  /** Gateways by network, IPv4 first. */
  readonly #gateways = new Map<string, string[]>();
  #again = (): Promise<Reply> => Promise.reject(new Error('nothing was said yet'));

  constructor(servers: Readonly<Record<Exchange['socket'], Running>>) {
    this.#servers = servers;
  }

  /** CIDR of a pool by its own id. */
  readonly poolOf = (id: string): string =>
    [...this.#pools.values()].find((one) => one.id === id)?.pool ?? '';

  readonly gatewaysOf = (network: string): string[] => this.#gateways.get(network) ?? [];

  /** Says what was recorded, on one connection a socket. */
  async say(exchange: Exchange): Promise<Reply> {
    const { head, body } = exchange.request;
    const typed = TYPED.reduce((all, [before, now]) => all.replaceAll(before, now), body);
    const text = typed && `${JSON.stringify(this.#translate(JSON.parse(typed)))}\n`;
    this.last = text ? JSON.parse(text) : {};
    const lines = head.map((line) => line.replace(/^(Content-Length:).*/, `$1 ${Buffer.byteLength(text)}`));
    const wire = this.#wires.get(exchange.socket) ?? new Wire(this.#servers[exchange.socket].path);
    this.#wires.set(exchange.socket, wire);
    this.#again = () => wire.send(`${lines.join('\r\n')}\r\n\r\n${text}`).reply();
    return this.#again();
  }

  /** Says the last once more, as after a broken connection. */
  again(): Promise<Reply> {
    return this.#again();
  }

  /** Remembers what it was answered. A recorded failure is one for dockerd, whatever was answered now. */
  learn(exchange: Exchange, { body }: Reply): void {
    const recorded = JSON.parse(exchange.response.body) as Json;
    if (recorded.Err ?? recorded.Error) return;
    const asked = JSON.parse(exchange.request.body || '{}') as Json;
    const [network, endpoint] = [String(asked.NetworkID), String(asked.EndpointID)];
    switch (methodOf(exchange)) {
      case 'IpamDriver.RequestPool': {
        const gateway = (body.Data as Record<string, string>)['com.docker.network.gateway'] ?? '';
        const pool = { id: String(body.PoolID), pool: String(body.Pool), gateway };
        this.#pools.set(String(recorded.PoolID), pool);
        break;
      }
      case 'IpamDriver.RequestAddress':
        this.#addresses.set(String(recorded.Address), String(body.Address));
        break;
      case 'NetworkDriver.CreateNetwork': {
        const data = [this.last.IPv4Data, this.last.IPv6Data].flat() as { Gateway: string }[];
        this.#gateways.set(
          network,
          data.map(({ Gateway }) => Gateway.split('/')[0] ?? ''),
        );
        this.networks.add(network);
        break;
      }
      case 'NetworkDriver.DeleteNetwork':
        this.networks.delete(network);
        break;
      case 'NetworkDriver.CreateEndpoint':
        this.endpoints.add(endpoint);
        break;
      case 'NetworkDriver.DeleteEndpoint':
        this.endpoints.delete(endpoint);
        break;
    }
  }

  end(): void {
    for (const wire of this.#wires.values()) wire.end();
  }

  #translate(call: Json): Json {
    const said = { ...call };
    const pool = this.#pools.get(String(call.PoolID));
    if (pool) said.PoolID = pool.id;
    if (pool && call.Address) {
      const own = ['0.0.0.0', '::'].includes(String(call.Address))
        ? pool.gateway
        : ['32', '128'].map((length) => this.#addresses.get(`${call.Address}/${length}`)).find(Boolean);
      said.Address = own?.split('/')[0] ?? call.Address;
    }
    for (const key of ['IPv4Data', 'IPv6Data'])
      if (call[key]) said[key] = (call[key] as Record<string, string>[]).map((data) => this.#data(data));
    if (call.Interface) {
      const { Address = '', AddressIPv6 = '', ...rest } = call.Interface as Record<string, string>;
      const own = (cidr: string) => this.#addresses.get(cidr) ?? cidr;
      said.Interface = { Address: own(Address), AddressIPv6: own(AddressIPv6), ...rest };
    }
    return said;
  }

  #data(data: Record<string, string>): Record<string, string> {
    const own = this.#pools.get(`default ${data.Pool}`);
    if (!own) return data;
    const given = data.Gateway !== '0.0.0.0/0' && data.Gateway !== '::/0';
    return { ...data, Pool: own.pool, Gateway: given ? data.Gateway! : own.gateway };
  }
}
