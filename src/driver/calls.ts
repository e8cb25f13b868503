/**
 * What the use-cases answer to: the calls of Docker's two drivers (and later of CNI) after their wire format was
 * checked. Values are still text here; the use-cases parse them into value types and refuse what is wrong with a
 * CodedError. Every call may be repeated: a replay gets the same answer and changes nothing.
 */

/**
 * The address spaces that the IPAM driver declares. A pool of CreateNetwork that names another one is not ours.
 * They differ, because Docker checks an automatic pool against the host's routes only outside of the global one.
 */
export const LOCAL_ADDRESS_SPACE = 'net-routed';
export const GLOBAL_ADDRESS_SPACE = 'net-routed-global';

/** A pool as CreateNetwork names it. */
export interface PoolData {
  readonly addressSpace: string;
  /** CIDR of the subnet. */
  readonly pool: string;
  /** CIDR of the gateway, as the IPAM driver or the user gave it; may be absent. */
  readonly gateway?: string | undefined;
  /** CIDR by name: addresses that the user set apart. */
  readonly auxAddresses: Readonly<Record<string, string>>;
}

export interface CreateNetwork {
  readonly network: string;
  /** The user's `-o` options. */
  readonly options: Readonly<Record<string, string>>;
  readonly internal: boolean;
  readonly ipv4: readonly PoolData[];
  readonly ipv6: readonly PoolData[];
}

/** A port that the user publishes. Numbers as Docker sends them: protocol 6, 17 or 132; hostPort 0 for any. */
export interface PortBinding {
  readonly protocol: number;
  readonly port: number;
  readonly hostAddress: string;
  readonly hostPort: number;
  readonly hostPortEnd: number;
}

export interface CreateEndpoint {
  readonly network: string;
  readonly endpoint: string;
  /** CIDR, exactly as RequestAddress answered it; absent for a family that the network does not have. */
  readonly address?: string | undefined;
  readonly addressV6?: string | undefined;
  /** As the user asked for; absent lets the driver choose. */
  readonly mac?: string | undefined;
  /** The endpoint's `driver-opt`s, and nothing of Docker's own labels. */
  readonly options: Readonly<Record<string, string>>;
}

export interface Join {
  readonly network: string;
  readonly endpoint: string;
  /** Path of the sandbox's network namespace. */
  readonly sandbox: string;
}

export interface JoinAnswer {
  /** Interface on the host that Docker moves into the sandbox. */
  readonly interface: string;
  /** Its name there gets a number behind this. */
  readonly prefix: string;
  /** Plain addresses; each has its own on-link route in `onLink`. */
  readonly gateway?: string | undefined;
  readonly gatewayV6?: string | undefined;
  /** CIDR destinations that are reached directly. */
  readonly onLink: readonly string[];
}

export interface NetworkCalls {
  createNetwork(call: CreateNetwork): Promise<void>;
  deleteNetwork(network: string): Promise<void>;
  /** Answers the MAC where the driver chose it. */
  createEndpoint(call: CreateEndpoint): Promise<{ readonly mac?: string | undefined }>;
  deleteEndpoint(network: string, endpoint: string): Promise<void>;
  join(call: Join): Promise<JoinAnswer>;
  leave(network: string, endpoint: string): Promise<void>;
  publish(network: string, endpoint: string, ports: readonly PortBinding[]): Promise<void>;
  unpublish(network: string, endpoint: string): Promise<void>;
  /** @throws NR_ENDPOINT_UNKNOWN */
  endpointInfo(network: string, endpoint: string): Promise<Readonly<Record<string, string>>>;
}

export interface RequestPool {
  /** CIDR; absent lets the driver choose. */
  readonly pool?: string | undefined;
  /** CIDR of the part that addresses are given from (--ip-range). */
  readonly subPool?: string | undefined;
  readonly options: Readonly<Record<string, string>>;
  readonly v6: boolean;
}

export interface AddressCalls {
  /** `gateway` is a CIDR that Docker takes as the network's gateway without asking for an address. */
  requestPool(
    call: RequestPool,
  ): Promise<{ readonly id: string; readonly pool: string; readonly gateway: string }>;
  releasePool(id: string): Promise<void>;
  /** `gateway`: the address is to be the network's gateway. Answers a CIDR. */
  requestAddress(call: {
    readonly pool: string;
    readonly address?: string | undefined;
    readonly gateway: boolean;
    /** Name of the container, from Docker 29 on. */
    readonly holder?: string | undefined;
  }): Promise<{ readonly address: string }>;
  releaseAddress(pool: string, address: string): Promise<void>;
}
