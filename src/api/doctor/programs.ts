import type { CheckView } from '../views.ts';
import { fail, ok, warn } from './check.ts';
import type { Run } from './program.ts';

interface Needed {
  readonly name: string;
  readonly args: readonly string[];
  readonly remedy: string;
}

/** The programs that the daemon starts. `gobgpd` is undefined where others run the engine. */
export async function checkPrograms(run: Run, gobgpd: string | undefined): Promise<CheckView[]> {
  const needed: Needed[] = [
    { name: 'ip', args: ['-V'], remedy: 'install iproute2' },
    {
      name: 'ss',
      args: ['-V'],
      remedy: 'install iproute2 (on some distributions ss is a package of its own)',
    },
    { name: 'nft', args: ['-v'], remedy: 'install nftables' },
    {
      name: 'conntrack',
      args: ['--version'],
      remedy: 'install conntrack-tools (on Debian the package conntrack)',
    },
    { name: 'nsenter', args: ['--version'], remedy: 'install util-linux' },
    ...(gobgpd === undefined
      ? []
      : [{ name: gobgpd, args: ['--version'], remedy: 'install gobgpd, or set --gobgpd' }]),
  ];
  return Promise.all(
    needed.map(async ({ name, args, remedy }) => {
      const { status, stdout, stderr } = await run(name, args);
      if (status !== 0)
        return fail(`program ${name}`, stderr || `${name} ended with status ${status}`, remedy);
      return ok(`program ${name}`, (stdout.trim() || stderr).split('\n')[0] ?? '');
    }),
  );
}

interface Feature {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly remedy: string;
  /** Without it some networks do not work, but not all. */
  readonly optional?: boolean;
}

const FEATURES: readonly Feature[] = [
  {
    name: 'veth',
    command: ['ip', 'link', 'add', 'name', 'nrprobe', 'type', 'veth', 'peer', 'name', 'nrprobec'],
    remedy: 'use a kernel with CONFIG_VETH, or load the module veth',
  },
  {
    name: 'nf_tables',
    command: [
      'nft',
      'add table inet probe; add chain inet probe c { type nat hook prerouting priority -100; }',
    ],
    remedy: 'use a kernel with CONFIG_NF_TABLES_INET and CONFIG_NFT_NAT, or load nf_tables and nft_nat',
  },
  {
    name: 'connection tracking',
    command: ['conntrack', '-L'],
    remedy: 'use a kernel with CONFIG_NF_CT_NETLINK, or load nf_conntrack_netlink',
  },
  {
    name: 'policy routing',
    command: ['ip', 'rule', 'add', 'from', '192.0.2.1', 'table', '100'],
    remedy: 'use a kernel with CONFIG_IP_MULTIPLE_TABLES',
    optional: true,
  },
];

/** What the kernel can do, tried in a network namespace that ends with the program that tries. */
export async function checkFeatures(run: Run): Promise<CheckView[]> {
  return Promise.all(
    FEATURES.map(async ({ name, command, remedy, optional }) => {
      const { status, stderr } = await run('unshare', ['--net', ...command]);
      if (status === 0) return ok(`kernel: ${name}`, 'works');
      const what = stderr.split('\n')[0] || `ended with status ${status}`;
      return (optional ? warn : fail)(`kernel: ${name}`, what, remedy);
    }),
  );
}
