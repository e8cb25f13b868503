import type { CheckView } from '../views.ts';
import { fail, ok } from './check.ts';
import { passageOf, readFilters } from './iptables.ts';
import type { Run } from './program.ts';

/** Whether another firewall stops what this host is to forward. */
export async function checkForward(run: Run, legacy?: (family: 4 | 6) => boolean): Promise<CheckView[]> {
  const [filters, nft] = await Promise.all([readFilters(run, legacy), run('nft', ['-j', 'list', 'chains'])]);
  const shown = filters
    .filter((filter) => filter.nft)
    .map(({ command }) => (command === 'iptables' ? 'ip' : 'ip6'));
  const checks = [
    ...filters.map(({ command, listing }) => judgeIptables(command, listing)),
    ...(nft.status === 0 ? judgeNft(nft.stdout, shown) : []),
  ];
  return checks.length > 0 ? checks : [ok('forward policy', 'no other firewall is there')];
}

/** `iptables -S`: the policy of FORWARD, unless our interfaces are let through before it. Pure. */
export function judgeIptables(command: string, listing: string): CheckView {
  const name = `forward policy of ${command}`;
  const { policy, missing, barrier } = passageOf(listing);
  if (missing.length === 0) return ok(name, `${policy}, and interfaces nr+ are let through`);
  if (barrier) {
    const above = (direction: string) =>
      `${command} -I FORWARD ${barrier.number} -${direction} nr+ -j ACCEPT`;
    return fail(
      name,
      `packets of containers are lost on this host by the rule ${barrier.rule}`,
      `let interfaces nr+ through above it: ${above('i')} && ${above('o')}`,
    );
  }
  if (policy !== 'DROP') return ok(name, policy);
  return fail(
    name,
    'DROP: packets of containers are lost on this host (Docker sets it when it has to switch forwarding on itself)',
    `net-routed doctor --fix lets interfaces nr+ through at the end of FORWARD`,
  );
}

interface NftChain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly hook?: string;
  readonly policy?: string;
}

/**
 * `nft -j list chains`: policies of everybody's forward chains but ours and those that iptables has shown, by family.
 * Pure.
 */
export function judgeNft(json: string, shown: readonly string[]): CheckView[] {
  let chains: NftChain[];
  try {
    const { nftables } = JSON.parse(json) as { nftables: { chain?: NftChain }[] };
    chains = nftables.map(({ chain }) => chain).filter((chain) => chain !== undefined);
  } catch {
    return []; // an nft without JSON; iptables is looked at all the same
  }
  return chains
    .filter(({ hook, policy, table }) => hook === 'forward' && policy === 'drop' && table !== 'net_routed')
    .filter(
      ({ family, table, name }) => !(shown.includes(family) && table === 'filter' && name === 'FORWARD'),
    )
    .map(({ family, table, name }) =>
      fail(
        `forward policy of nft table ${family} ${table}`,
        `chain ${name} drops what its rules do not accept`,
        `let interfaces nr* through: nft insert rule ${family} ${table} ${name} iifname "nr*" accept, and the same with oifname`,
      ),
    );
}
