/** Docker's part of the plugin API, played without Docker. */
import { randomBytes } from 'node:crypto';
import { Plugin } from './plugin.ts';

export interface NetworkIds {
  readonly network: string;
  readonly pool: string;
}

export interface EndpointIds extends NetworkIds {
  readonly endpoint: string;
  /** CIDR. */
  readonly address: string;
}

const newId = (): string => randomBytes(32).toString('hex');

/** The calls that dockerd makes, in its order and with its bodies. */
export class DriverClient {
  readonly #plugin: Plugin;

  constructor(socket: string) {
    this.#plugin = new Plugin(socket);
  }

  close(): void {
    this.#plugin.close();
  }

  async activate(): Promise<void> {
    await this.#plugin.call('Plugin.Activate');
  }

  async requestPool(subnet: string): Promise<{ PoolID: string; Pool: string; Data: Record<string, string> }> {
    const body = { AddressSpace: 'net-routed', Pool: subnet, SubPool: '', Options: {}, V6: false };
    return this.#plugin.call('IpamDriver.RequestPool', body);
  }

  async releasePool(pool: string): Promise<void> {
    await this.#plugin.call('IpamDriver.ReleasePool', { PoolID: pool });
  }

  /** `docker network create` */
  async createNetwork(subnet: string): Promise<NetworkIds> {
    const { PoolID, Pool, Data } = await this.requestPool(subnet);
    const network = newId();
    const gateway = Data['com.docker.network.gateway'];
    await this.#plugin.call('NetworkDriver.CreateNetwork', {
      NetworkID: network,
      Options: {
        'com.docker.network.enable_ipv6': false,
        'com.docker.network.generic': {},
      },
      IPv4Data: [{ AddressSpace: 'net-routed', Pool, Gateway: gateway, AuxAddresses: {} }],
      IPv6Data: [],
    });
    return { network, pool: PoolID };
  }

  /** `docker network rm` */
  async deleteNetwork({ network, pool }: NetworkIds): Promise<void> {
    await this.releasePool(pool);
    await this.#plugin.call('NetworkDriver.DeleteNetwork', { NetworkID: network });
  }

  async requestAddress({ pool }: NetworkIds): Promise<string> {
    const body = { PoolID: pool, Address: '', Options: null };
    const { Address } = await this.#plugin.call<{ Address: string }>('IpamDriver.RequestAddress', body);
    return Address;
  }

  async createEndpoint(
    ids: NetworkIds,
    address: string,
    options: Readonly<Record<string, string>> = {},
  ): Promise<EndpointIds> {
    const endpoint = newId();
    await this.#plugin.call('NetworkDriver.CreateEndpoint', {
      NetworkID: ids.network,
      EndpointID: endpoint,
      Interface: { Address: address, AddressIPv6: '', MacAddress: '' },
      Options: {
        'com.docker.network.endpoint.exposedports': [],
        'com.docker.network.portmap': [],
        ...options,
      },
    });
    return { ...ids, endpoint, address };
  }

  async join({ network, endpoint }: EndpointIds, sandbox: string): Promise<void> {
    const body = { NetworkID: network, EndpointID: endpoint, SandboxKey: sandbox, Options: {} };
    await this.#plugin.call('NetworkDriver.Join', body);
  }

  async leave({ network, endpoint }: EndpointIds): Promise<void> {
    await this.#plugin.call('NetworkDriver.Leave', { NetworkID: network, EndpointID: endpoint });
  }

  async deleteEndpoint({ network, endpoint }: EndpointIds): Promise<void> {
    await this.#plugin.call('NetworkDriver.DeleteEndpoint', { NetworkID: network, EndpointID: endpoint });
  }

  async releaseAddress({ pool, address }: EndpointIds): Promise<void> {
    await this.#plugin.call('IpamDriver.ReleaseAddress', { PoolID: pool, Address: address.split('/')[0] });
  }
}
