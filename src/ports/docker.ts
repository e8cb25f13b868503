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
