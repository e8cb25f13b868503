import { readFileSync } from 'node:fs';
import type { Run } from './program.ts';

/** The filter table of one program, which its name tells apart: the two kinds of iptables do not see each other's. */
export interface Filter {
  readonly command: string;
  /** nftables' own listing shows it as well. */
  readonly nft: boolean;
  /** As `-S` writes it. */
  readonly listing: string;
}

/** Which way a packet goes by an interface: in or out, as iptables' options are called. */
export type Direction = 'i' | 'o';

/** What becomes of packets of our interfaces in FORWARD, if no earlier rule has decided. */
export interface Passage {
  readonly policy: string;
  /** Directions that no rule lets through. */
  readonly missing: readonly Direction[];
  /** A rule that drops everything that comes to it, and its number, from 1. */
  readonly barrier?: { readonly number: number; readonly rule: string };
}

/** The comment of rules that are ours. */
const COMMENT = 'net-routed';
/** Another program may be at the tables: waited for so many seconds. */
export const WAIT = ['-w', '4'];

/** Behind -A FORWARD, or -D FORWARD. */
export function ruleOf(direction: Direction): string[] {
  return [`-${direction}`, 'nr+', '-m', 'comment', '--comment', COMMENT, '-j', 'ACCEPT'];
}

/**
 * The filter tables that are in use. `legacy` tells whether the older kind of iptables has one in a family: to ask the
 * program itself would make one.
 */
export async function readFilters(run: Run, legacy = legacyInUse): Promise<Filter[]> {
  const filters: Filter[] = [];
  for (const [command, family] of [['iptables', 4] as const, ['ip6tables', 6] as const]) {
    const { status, stdout } = await run(command, ['-V']);
    const nft = stdout.includes('nf_tables');
    const commands = [
      ...(status === 0 && (nft || legacy(family)) ? [command] : []),
      ...(nft && legacy(family) ? [`${command}-legacy`] : []),
    ];
    for (const one of commands) {
      const listed = await run(one, [...WAIT, '-S']);
      if (listed.status === 0)
        filters.push({ command: one, nft: one === command && nft, listing: listed.stdout });
    }
  }
  return filters;
}

/** What a listing of `-S` says; pure. */
export function passageOf(listing: string): Passage {
  const lines = listing.split('\n').map((line) => line.trim());
  const rules = lines.filter((line) => line.startsWith('-A FORWARD '));
  const at = rules.findIndex((rule) =>
    /^-A FORWARD (-m comment --comment ("[^"]*"|\S+) )?-j (DROP|REJECT)\b/.test(rule),
  );
  const reached = at < 0 ? rules : rules.slice(0, at);
  // Docker runs DOCKER-USER before all of its own rules.
  const users = lines.filter((line) => line.startsWith('-A DOCKER-USER '));
  const missing = (['i', 'o'] as const).filter((direction) => {
    const accept = new RegExp(
      `^-A (FORWARD|DOCKER-USER) -${direction} nr\\+ (-m comment --comment ("[^"]*"|\\S+) )?-j ACCEPT$`,
    );
    return ![...reached, ...users].some((rule) => accept.test(rule));
  });
  return {
    policy: lines.find((line) => line.startsWith('-P FORWARD '))?.slice('-P FORWARD '.length) ?? 'ACCEPT',
    missing,
    ...(at >= 0 && { barrier: { number: at + 1, rule: rules[at]! } }),
  };
}

function legacyInUse(family: 4 | 6): boolean {
  try {
    const names = readFileSync(`/proc/net/ip${family === 6 ? '6' : ''}_tables_names`, 'utf8');
    return names.split('\n').includes('filter');
  } catch {
    return false; // a kernel without it, or one that has not loaded it
  }
}
