/**
 * What dockerd knows, for comparison in the background. Never asked within a driver call: dockerd holds locks
 * then, and at its boot waits for us.
 */
export interface DockerNetwork {
  readonly id: string;
  readonly name: string;
  /** Ids of the endpoints that are connected now, with the container of each. */
  readonly endpoints: readonly { readonly id: string; readonly container: string; readonly name: string }[];
}

export interface Docker {
  /** The networks of our driver. @throws CodedError NR_DOCKER_UNAVAILABLE */
  networks(): Promise<readonly DockerNetwork[]>;
  /** Calls back when networks or their endpoints may have changed. Returns the way to stop it. */
  watch(listener: () => void): () => void;
}

/** A network of any driver, as Docker lists it. */
export interface ListedNetwork {
  readonly id: string;
  readonly name: string;
  /** Whether it is of our driver. */
  readonly ours: boolean;
  readonly labels: Readonly<Record<string, string>>;
}

/** A network of our drivers that Docker is to create. */
export interface NetworkSpec {
  readonly name: string;
  /** Of either family or both. */
  readonly subnets: readonly string[];
  readonly internal: boolean;
  /** `-o` */
  readonly options: Readonly<Record<string, string>>;
  /** `--ipam-opt` */
  readonly ipamOptions: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}

/** Docker's networks, for who makes and removes some in the background. Docker calls our drivers meanwhile. */
export interface DockerNetworks {
  /** All networks, of whatever driver. @throws CodedError NR_DOCKER_UNAVAILABLE */
  listed(): Promise<readonly ListedNetwork[]>;
  /**
   * Creates a network. When it fails or is given up, Docker may be creating it all the same.
   * @returns its id
   * @throws CodedError NR_PROPAGATE_NAME if Docker has one of that name, NR_PROPAGATE_REFUSED with what it said
   * otherwise or if it does not end, NR_DOCKER_UNAVAILABLE
   */
  create(network: NetworkSpec, signal: AbortSignal): Promise<string>;
  /**
   * Removes a network.
   * @returns false if there is none of that id
   * @throws CodedError NR_PROPAGATE_IN_USE while containers are connected, NR_PROPAGATE_REFUSED as create,
   * NR_DOCKER_UNAVAILABLE
   */
  remove(id: string, signal: AbortSignal): Promise<boolean>;
  /** As Docker's. */
  watch(listener: () => void): () => void;
}
