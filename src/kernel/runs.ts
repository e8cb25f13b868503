import type {
  KernelResource,
  LinkAddress,
  Route,
  SandboxAddress,
  Sysctl,
  VethLink,
} from '../ports/kernel.ts';
import type { Operation } from '../ports/target.ts';

/** Consecutive operations that can be carried out together. */
export type Run =
  | { readonly kind: 'put-links' | 'remove-links'; readonly operations: Operation<VethLink>[] }
  | { readonly kind: 'put-addresses' | 'remove-addresses'; readonly operations: Operation<LinkAddress>[] }
  | { readonly kind: 'routes'; readonly operations: Operation<Route>[] }
  | { readonly kind: 'sysctls'; readonly operations: Operation<Sysctl>[] }
  | { readonly kind: 'sandbox-addresses'; readonly operations: Operation<SandboxAddress>[] };

/** Cuts operations into runs, their order kept. One run has no key twice, except of routes, which go in order. */
export function runs(operations: readonly Operation<KernelResource>[]): Run[] {
  const found: Run[] = [];
  let keys = new Set<string>();
  for (const operation of operations) {
    const kind = kindOf(operation);
    const last = found.at(-1);
    if (last?.kind === kind && (kind === 'routes' || !keys.has(operation.key))) {
      (last.operations as Operation<KernelResource>[]).push(operation);
    } else {
      found.push({ kind, operations: [operation] } as Run);
      keys = new Set();
    }
    keys.add(operation.key);
  }
  return found;
}

function kindOf({ do: what, resource }: Operation<KernelResource>): Run['kind'] {
  switch (resource.kind) {
    case 'link':
      return `${what}-links`;
    case 'address':
      return `${what}-addresses`;
    case 'route':
      return 'routes';
    case 'sysctl':
      return 'sysctls';
    case 'sandbox-address':
      return 'sandbox-addresses';
  }
}
