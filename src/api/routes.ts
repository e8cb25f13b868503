import type { Services } from '../driver/services.ts';
import { Address } from '../net/address.ts';
import { Prefix } from '../net/prefix.ts';
import { type KernelResource, METRIC_LOCAL, type Route } from '../ports/kernel.ts';
import type { Announcement, SpeakerResource } from '../ports/speaker.ts';
import { unannounceable } from './announceable.ts';
import { bounded } from './bounded.ts';
import { type Compared, compareRoutes } from './compare.ts';
import type { Known } from './names.ts';
import { ENGINE_MS } from './peers.ts';
import { problemOf } from './problem.ts';
import type { ProblemView, RoutesView } from './views.ts';

/** Longest wait for the kernel's tables, in milliseconds. */
const KERNEL_MS = 10_000;

/** Every route that is ours: as wanted, in the kernel, at the engine, as learned. Reads the real ones. Never throws. */
export async function showRoutes(services: Services, known: Known): Promise<RoutesView> {
  const { kernel, speaker, reconciler } = services;
  const problems: ProblemView[] = [];
  const read = async <R>(work: Promise<ReadonlyMap<string, R>>, ms: number, what: string) => {
    try {
      return await bounded(work, ms, what);
    } catch (error) {
      problems.push(problemOf(error));
      return undefined;
    }
  };
  const [there, announced] = await Promise.all([
    read(kernel.read(), KERNEL_MS, 'kernel'),
    read(speaker.read(), ENGINE_MS, 'routing engine'),
  ]);
  const errors = new Map<string, ProblemView>();
  for (const { key, error } of reconciler.failures()) errors.set(key, problemOf(error));
  const compared: Compared = {
    ...wantedBy(services),
    kernel: there && routesIn(there),
    engine: announced && announcementsIn(announced),
    learned: services.learned.all(),
    errors,
    containerOf: (endpoint) => known.container(endpoint)?.name,
  };
  return { routes: compareRoutes(compared), problems };
}

/** What the plan wants, taken from what the loop was given; and which prefixes stay on this host. */
function wantedBy({
  reconciler,
  host,
}: Services): Pick<Compared, 'wanted' | 'announcing' | 'owners' | 'local'> {
  const view = host();
  const wanted = new Map<string, Route>();
  const owners = new Map<string, string>();
  const announcing = new Map<string, string>();
  const local = new Map<string, string>();
  for (const resource of reconciler.kernel.tracker.allWanted()) {
    if (resource.kind !== 'route') continue;
    const key = `route ${resource.table} ${resource.prefix} ${resource.metric}`;
    wanted.set(key, resource);
    owners.set(key, reconciler.kernel.tracker.ownerOf(key) ?? '');
    const prefix = Prefix.parse(resource.prefix);
    if (resource.metric !== METRIC_LOCAL || !prefix.isHost) continue;
    const note = unannounceable(prefix.address.toString(), view);
    if (note !== undefined) local.set(resource.prefix, note);
    else announcing.set(resource.prefix, (prefix.family === 4 ? view.address : view.addressV6) ?? '');
  }
  return { wanted, owners, announcing, local };
}

function routesIn(resources: ReadonlyMap<string, KernelResource>): Map<string, Route> {
  const routes = new Map<string, Route>();
  for (const [key, resource] of resources) if (resource.kind === 'route') routes.set(key, resource);
  return routes;
}

function announcementsIn(resources: ReadonlyMap<string, SpeakerResource>): Map<string, Announcement> {
  const announcements = new Map<string, Announcement>();
  for (const resource of resources.values()) {
    if (resource.kind === 'announcement') announcements.set(resource.prefix, resource);
  }
  return announcements;
}

/** Whether a prefix's text is the address, or the prefix itself, that a user asked for; or within it. */
export function within(prefix: string, asked: string): boolean {
  const outer = asked.includes('/') ? Prefix.parse(asked) : Prefix.host(Address.parse(asked));
  const inner = Prefix.parse(prefix);
  return outer.contains(inner) || inner.contains(outer);
}
