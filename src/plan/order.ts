import type { KernelResource } from '../ports/kernel.ts';
import type { Operation } from '../ports/target.ts';

const RANK: Readonly<Record<KernelResource['kind'], number>> = {
  link: 0,
  sysctl: 1,
  address: 2,
  route: 3,
  'sandbox-address': 4,
};

/**
 * Kernel operations in the order that is safe: removals from the leaves to the links, then additions from the links
 * to the leaves. What goes away with its link needs no operation of its own: `implied` has the keys of those.
 */
export function inOrder(operations: readonly Operation<KernelResource>[]): {
  readonly ordered: Operation<KernelResource>[];
  readonly implied: string[];
} {
  const dying = new Set<string>();
  for (const { do: what, resource } of operations) {
    if (what === 'remove' && resource.kind === 'link') dying.add(resource.name);
  }
  const implied: string[] = [];
  const ordered: Operation<KernelResource>[] = [];
  for (const operation of operations) {
    if (operation.do === 'remove' && vanishes(operation.resource, dying)) implied.push(operation.key);
    else ordered.push(operation);
  }
  return { ordered: ordered.sort((a, b) => position(a) - position(b)), implied };
}

function position(operation: Operation<KernelResource>): number {
  const rank = RANK[operation.resource.kind];
  return operation.do === 'remove' ? -rank : 10 + rank;
}

/** Routes are taken away first all the same, so that nothing is sent into a link that is about to go. */
function vanishes(resource: KernelResource, dying: ReadonlySet<string>): boolean {
  switch (resource.kind) {
    case 'address':
    case 'sandbox-address':
      return dying.has(resource.link);
    case 'sysctl':
      return true; // a link's settings go with it, and are of no use to restore before
    default:
      return false;
  }
}
