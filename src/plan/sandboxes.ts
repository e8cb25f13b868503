import type { Endpoint } from '../model/endpoint.ts';
import type { Store } from '../ports/store.ts';
import type { Table } from './state.ts';

/** Which endpoints are in one sandbox together: a container's interfaces, kept as the store changes. */
export class Sandboxes {
  readonly #members = new Map<string, Set<string>>();

  /** `changed` is told of the endpoints whose company changed. */
  constructor(
    store: Pick<Store, 'observe'>,
    endpoints: Table<Endpoint>,
    changed: (endpoint: string) => void,
  ) {
    for (const endpoint of endpoints.all()) this.#add(endpoint);
    store.observe('endpoint', ({ key, before, after }) => {
      if (endpoints.id(key) === undefined) return;
      const [was, is] = [endpoints.read(before), endpoints.read(after)];
      const concerned = new Set([...this.of(was?.sandbox), ...this.of(is?.sandbox)]);
      this.#remove(was);
      this.#add(is);
      for (const id of concerned) if (id !== was?.id && id !== is?.id) changed(id);
    });
  }

  /** Ids of the endpoints in a sandbox. */
  of(sandbox: string | undefined): Iterable<string> {
    return (sandbox !== undefined && this.#members.get(sandbox)) || [];
  }

  #add(endpoint: Endpoint | undefined): void {
    if (endpoint?.sandbox === undefined) return;
    const members = this.#members.get(endpoint.sandbox) ?? new Set();
    this.#members.set(endpoint.sandbox, members.add(endpoint.id));
  }

  #remove(endpoint: Endpoint | undefined): void {
    if (endpoint?.sandbox === undefined) return;
    const members = this.#members.get(endpoint.sandbox);
    members?.delete(endpoint.id);
    if (members?.size === 0) this.#members.delete(endpoint.sandbox);
  }
}
