import type {
  AddressCalls,
  CreateEndpoint,
  CreateNetwork,
  Join,
  NetworkCalls,
  PortBinding,
  RequestPool,
} from './calls.ts';
import type { Current } from './current.ts';
import type { Driver } from './driver.ts';

/** How long a call waits for a driver, in milliseconds: less than all of it may take. */
const WAIT_MS = 8000;

/** Answers Docker while the driver is replaced by another one, which is with the store: calls wait for the next. */
export class StandIn implements NetworkCalls, AddressCalls {
  readonly #current: Current<{ readonly driver: Driver }>;

  constructor(current: Current<{ readonly driver: Driver }>) {
    this.#current = current;
  }

  createNetwork(call: CreateNetwork) {
    return this.#use((driver) => driver.createNetwork(call));
  }

  deleteNetwork(network: string) {
    return this.#use((driver) => driver.deleteNetwork(network));
  }

  createEndpoint(call: CreateEndpoint) {
    return this.#use((driver) => driver.createEndpoint(call));
  }

  deleteEndpoint(network: string, endpoint: string) {
    return this.#use((driver) => driver.deleteEndpoint(network, endpoint));
  }

  join(call: Join) {
    return this.#use((driver) => driver.join(call));
  }

  leave(network: string, endpoint: string) {
    return this.#use((driver) => driver.leave(network, endpoint));
  }

  publish(network: string, endpoint: string, ports: readonly PortBinding[]) {
    return this.#use((driver) => driver.publish(network, endpoint, ports));
  }

  unpublish(network: string, endpoint: string) {
    return this.#use((driver) => driver.unpublish(network, endpoint));
  }

  endpointInfo(network: string, endpoint: string) {
    return this.#use((driver) => driver.endpointInfo(network, endpoint));
  }

  requestPool(call: RequestPool) {
    return this.#use((driver) => driver.requestPool(call));
  }

  releasePool(id: string) {
    return this.#use((driver) => driver.releasePool(id));
  }

  requestAddress(call: Parameters<AddressCalls['requestAddress']>[0]) {
    return this.#use((driver) => driver.requestAddress(call));
  }

  releaseAddress(pool: string, address: string) {
    return this.#use((driver) => driver.releaseAddress(pool, address));
  }

  #use<R>(call: (driver: Driver) => Promise<R>): Promise<R> {
    return this.#current.use(WAIT_MS, ({ driver }) => call(driver));
  }
}
