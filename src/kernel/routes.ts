import { isDeepStrictEqual } from 'node:util';
import { kernelKey, type Route } from '../ports/kernel.ts';
import type { Operation } from '../ports/target.ts';
import { attempt, attemptEach } from './attempt.ts';
import { addRoute, deleteRoute, standIn, swapRoute } from './commands.ts';
import type { Verdict } from './group.ts';
import type { Inspector } from './inspector.ts';
import { foreign, type Pass } from './pass.ts';
import type { Writer } from './writer.ts';

/** How often the kernel may turn out to be different from what was thought. */
const ROUNDS = 3;

interface Task {
  readonly index: number;
  readonly put: boolean;
  readonly route: Route;
  readonly was?: Route | undefined;
}

/**
 * Puts and removes routes of protocol 158. First the obvious is tried; where that fails, the kernel is asked what is
 * there, and once more tried from there.
 */
export class Routes {
  readonly #ip: Writer;
  readonly #inspector: Inspector;

  constructor(ip: Writer, inspector: Inspector) {
    this.#ip = ip;
    this.#inspector = inspector;
  }

  async apply(operations: readonly Operation<Route>[], pass: Pass): Promise<Verdict[]> {
    const verdicts: Verdict[] = operations.map(({ do: what, resource }) => {
      return what === 'put' ? linkError(resource, pass) : undefined;
    });
    let tasks: Task[] = operations.map((one, index) => {
      const was = one.do === 'put' ? one.was : undefined;
      return { index, put: one.do === 'put', route: one.resource, was };
    });
    tasks = tasks.filter(({ index }) => !verdicts[index]);
    for (let round = 0; tasks.length > 0 && round < ROUNDS; round++) {
      const errors = await this.#try(tasks);
      const failed = tasks.filter((_, i) => errors[i]?.code === 'NR_KERNEL_REFUSED');
      for (const [i, { index }] of tasks.entries()) verdicts[index] = errors[i];
      const there = await this.#inspector.routes(failed.map(({ route }) => route));
      tasks = failed.flatMap((task) => {
        const { verdict, next } = judge(task, there.get(kernelKey(task.route)), verdicts[task.index]);
        verdicts[task.index] = verdict;
        return next ? [next] : [];
      });
    }
    return verdicts;
  }

  /** In order, but the stand-ins of all changes first: a change is only begun if the kernel takes its stand-in. */
  async #try(tasks: readonly Task[]): Promise<Verdict[]> {
    const changes = tasks.map(({ was }) => was !== undefined);
    const stands = await attempt(
      this.#ip,
      tasks.map(
        ({ route }, i) =>
          () =>
            changes[i] ? [standIn(route)] : [],
      ),
    );
    const refused = stands.map((error) => (error && !isThere(error) ? error : undefined));
    const errors = await attemptEach(
      this.#ip,
      tasks.map(({ put, route, was }, i) => () => {
        if (refused[i]) return [];
        if (!put) return [deleteRoute(route)];
        return was ? swapRoute(route, was) : [addRoute(route)];
      }),
    );
    return tasks.map((_, i) => {
      const own = errors[i] ?? [];
      // Of a swap, what counts is whether the new one could be added; what was may have gone by itself.
      return refused[i] ?? (own.length === 3 ? own[1] : own[0]);
    });
  }
}

/** What an error means, given the route of ours that is there now. */
function judge(task: Task, there: Route | undefined, error: Verdict): { verdict: Verdict; next?: Task } {
  if (!task.put) return there ? { verdict: error, next: { ...task, route: there } } : { verdict: undefined };
  if (there) {
    if (isDeepStrictEqual(there, task.route)) return { verdict: undefined };
    const known = task.was && isDeepStrictEqual(there, task.was);
    return known ? { verdict: error } : { verdict: error, next: { ...task, was: there } };
  }
  if (!isThere(error)) return { verdict: error };
  const { prefix, table, metric } = task.route;
  return { verdict: foreign(`the route to ${prefix} in table ${table} with metric ${metric} is not ours`) };
}

function isThere(error: Verdict): boolean {
  return /File exists/.test(error?.what ?? '');
}

/** A route into a link that could not be made is not tried. */
function linkError({ nextHops }: Route, pass: Pass): Verdict {
  for (const { dev } of nextHops) {
    const error = dev === undefined ? undefined : pass.knownError(dev);
    if (error) return error;
  }
  return undefined;
}
