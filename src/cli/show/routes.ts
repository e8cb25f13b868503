import type { ProblemView, RoutesView, RouteView, SideView } from '../../api/views.ts';
import { short, table } from '../table.ts';

export function renderRoutes({ routes, problems }: RoutesView): string {
  const parts = [
    routes.length === 0
      ? 'no routes'
      : table(
          ['PREFIX', 'WANTED BY', 'KERNEL', 'ENGINE', 'LEARNED FROM', 'NOTE'],
          routes.map((route) => [
            route.prefix,
            wantedBy(route),
            side(route.kernel),
            side(route.engine),
            learnedFrom(route),
            noteOf(route),
          ]),
        ),
    renderProblems(problems),
  ];
  return parts.filter((part) => part !== '').join('\n\n');
}

/** What could not be read, below a table. */
export function renderProblems(problems: readonly ProblemView[]): string {
  return problems.map(({ code, what, remedy }) => `${code}: ${what}; ${remedy}`).join('\n');
}

function wantedBy({ wanted, endpoint }: RouteView): string {
  if (wanted === 'endpoint') return endpoint?.container ?? `endpoint ${short(endpoint?.id ?? '')}`;
  return wanted === 'learned' ? 'peers' : 'nobody';
}

function side(one: SideView | undefined): string {
  return one === undefined ? '' : `${one.state} ${one.detail}`;
}

function learnedFrom({ learned }: RouteView): string {
  if (!learned) return '';
  const hops = learned.nextHops.join(', ');
  return learned.holder === hops ? hops : `${learned.holder} via ${hops}`;
}

function noteOf({ kernel, engine, note }: RouteView): string {
  const problems = [kernel?.problem, engine?.problem].filter((one) => one !== undefined);
  return [note ?? '', renderProblems(problems)]
    .filter((part) => part !== '')
    .join('; ')
    .replaceAll('\n', '; ');
}
