/** The machine and the programs that figures were taken with. */
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { run } from '../lab/run.ts';

/** First line of what a program says of itself; undefined when it is not there. */
async function version(...argv: string[]): Promise<string | undefined> {
  const result = await run(argv).catch(() => undefined);
  const line = `${result?.stdout}${result?.stderr}`.split('\n')[0]?.trim();
  return result?.status === 0 ? line : undefined;
}

export async function machine() {
  const [model] = cpus();
  return {
    cpu: model?.model ?? 'unknown',
    cpus: availableParallelism(),
    memoryMB: Math.round(totalmem() / 1e6),
    kernel: release(),
    system: /^PRETTY_NAME="?(.*?)"?$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1],
    /** Of the minute before: figures of a busy machine are worth less. */
    load: loadavg()[0],
  };
}

export async function versions() {
  const [commit, changed] = await Promise.all([
    version('git', 'rev-parse', '--short', 'HEAD'),
    run(['git', 'status', '--porcelain', '--', 'src', 'package.json']).catch(() => undefined),
  ]);
  return {
    'net-routed': `${commit ?? 'unknown'}${changed?.stdout ? ' with changes' : ''}`,
    node: process.version,
    docker: await version('dockerd', '--version'),
    gobgpd: await version('gobgpd', '--version'),
    frr: await version('/usr/lib/frr/bgpd', '--version'),
    iproute2: await version('ip', '-Version'),
    nft: await version('nft', '--version'),
    iperf3: await version('iperf3', '--version'),
  };
}
