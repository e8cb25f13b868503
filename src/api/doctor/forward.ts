import type { CheckView } from '../views.ts';
import { fail, ok } from './check.ts';
import type { Run } from './program.ts';

/** Whether another firewall stops what this host is to forward. */
export async function checkForward(run: Run): Promise<CheckView[]> {
  const commands = { 4: 'iptables', 6: 'ip6tables' } as const;
  const [v4, v6, nft] = await Promise.all([
    run(commands[4], ['-S']),
    run(commands[6], ['-S']),
    run('nft', ['-j', 'list', 'chains']),
  ]);
  const checks = [
    ...(v4.status === 0 ? [judgeIptables(commands[4], v4.stdout)] : []),
    ...(v6.status === 0 ? [judgeIptables(commands[6], v6.stdout)] : []),
    ...(nft.status === 0 ? judgeNft(nft.stdout) : []),
  ];
  return checks.length > 0 ? checks : [ok('forward policy', 'no other firewall is there')];
}

/** `iptables -S`: the policy of FORWARD, unless our interfaces are let through before it. Pure. */
export function judgeIptables(command: string, listing: string): CheckView {
  const name = `forward policy of ${command}`;
  const lines = listing.split('\n').map((line) => line.trim());
  if (!lines.includes('-P FORWARD DROP')) return ok(name, 'ACCEPT');
  // Docker runs DOCKER-USER before all of its own rules.
  const accepts = (direction: string) =>
    lines.some((line) => new RegExp(`^-A (FORWARD|DOCKER-USER) -${direction} nr\\+ -j ACCEPT$`).test(line));
  if (accepts('i') && accepts('o')) return ok(name, 'DROP, and interfaces nr+ are let through');
  const chain = lines.includes('-N DOCKER-USER') ? 'DOCKER-USER' : 'FORWARD';
  return fail(
    name,
    'DROP: packets of containers are lost on this host (Docker sets it when it has to switch forwarding on itself)',
    `${command} -I ${chain} -i nr+ -j ACCEPT && ${command} -I ${chain} -o nr+ -j ACCEPT, or ${command} -P FORWARD ACCEPT`,
  );
}

interface NftChain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly hook?: string;
  readonly policy?: string;
}

/** `nft -j list chains`: policies of everybody's forward chains but ours and those that iptables shows. Pure. */
export function judgeNft(json: string): CheckView[] {
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
      ({ family, table, name }) => !(family.startsWith('ip') && table === 'filter' && name === 'FORWARD'),
    )
    .map(({ family, table, name }) =>
      fail(
        `forward policy of nft table ${family} ${table}`,
        `chain ${name} drops what its rules do not accept`,
        `let interfaces nr* through: nft insert rule ${family} ${table} ${name} iifname "nr*" accept, and the same with oifname`,
      ),
    );
}
