import { type FirewallResource, firewallKey } from '../ports/firewall.ts';
import type { Operation } from '../ports/target.ts';
import { type Element, elementOf, ingressElement, rangeOf } from './element.ts';
import { mergedByText, type State } from './state.ts';

export type FirewallOperation = Operation<FirewallResource>;

/** One element to add or delete, and the keys of the operations that want it. */
export interface Step {
  readonly do: 'add' | 'delete';
  readonly element: Element;
  readonly wantedBy: readonly string[];
}

/** The difference that operations make, as the steps of one transaction. */
export interface Change {
  readonly steps: readonly Step[];
  /** Records in the state that the steps have been made. */
  commit(): void;
}

/**
 * Works out the elements to delete and to add. Only the outcome of all operations counts, since packets see a
 * transaction as a whole. What shall be there is added even if it is known to be there: that costs little, and
 * heals what the state does not know of.
 */
export function changeOf(state: State, operations: readonly FirewallOperation[]): Change {
  const final = new Map<string, FirewallResource | undefined>();
  for (const { do: action, resource } of operations) {
    final.set(firewallKey(resource), action === 'put' ? resource : undefined);
  }
  const steps = [...ownSteps(state, final)];
  const links = new Map([...state.drifted].map((link) => [link, [] as string[]]));
  for (const [key, after] of final) {
    const resource = after ?? state.get(key);
    if (resource?.kind !== 'ingress') continue;
    const wantedBy = links.get(resource.link);
    if (wantedBy) wantedBy.push(key);
    else links.set(resource.link, [key]);
  }
  const settled = [...links].map(([link, wantedBy]) => {
    const asked = new Map(state.asked(link));
    for (const key of wantedBy) {
      const after = final.get(key);
      const resource = after ?? state.get(key);
      if (resource?.kind !== 'ingress') continue;
      if (after) asked.set(resource.from, rangeOf(resource));
      else asked.delete(resource.from);
    }
    const active = mergedByText(asked.values());
    for (const range of active.values()) {
      steps.push({ do: 'add', element: ingressElement(link, range), wantedBy });
    }
    for (const [text, range] of state.active(link)) {
      if (!active.has(text)) steps.push({ do: 'delete', element: ingressElement(link, range), wantedBy });
    }
    return { link, active };
  });
  return {
    // What goes makes room for what comes, where both have the same key or overlap.
    steps: [...steps.filter((step) => step.do === 'delete'), ...steps.filter((step) => step.do === 'add')],
    commit() {
      for (const [key, after] of final) after ? state.put(after) : state.remove(key);
      for (const { link, active } of settled) state.settle(link, active);
    },
  };
}

function* ownSteps(state: State, final: ReadonlyMap<string, FirewallResource | undefined>): Iterable<Step> {
  for (const [key, after] of final) {
    const before = state.get(key);
    const old = before && elementOf(before);
    const fresh = after && elementOf(after);
    if (old && (!fresh || old.value !== fresh.value)) yield { do: 'delete', element: old, wantedBy: [key] };
    if (fresh) yield { do: 'add', element: fresh, wantedBy: [key] };
  }
}
