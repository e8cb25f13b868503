import type { KernelResource } from '../ports/kernel.ts';
import { linkOf } from './settings.ts';

/** What of a whole reading hangs on the named links; of the routes, those that lead nowhere else. */
export function ofLinks(
  all: ReadonlyMap<string, KernelResource>,
  names: ReadonlySet<string>,
): Map<string, KernelResource> {
  const on = (resource: KernelResource): boolean => {
    switch (resource.kind) {
      case 'link':
        return names.has(resource.name);
      case 'address':
      case 'sandbox-address':
        return names.has(resource.link);
      case 'route':
        return resource.nextHops.length === 1 && names.has(resource.nextHops[0]?.dev ?? '');
      case 'sysctl':
        return names.has(linkOf(resource.path) ?? '');
    }
  };
  return new Map([...all].filter(([, resource]) => on(resource)));
}
