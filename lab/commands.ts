/** Commands of the lab other than exec. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { labNames } from './clear.ts';
import { LabError } from './errors.ts';
import { defaultName, Lab, type LabOptions } from './lab.ts';
import { links, releases } from './plan.ts';
import { report, table } from './status.ts';

const count = (text: string): number => {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('a number of hosts is wanted');
  return Number(text);
};

const words = (text: string): string[] => text.split(/\s+/).filter(Boolean);

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

/** Reads the command line and does what it says. */
export async function commandLine(argv: string[]): Promise<void> {
  const program = new Command('lab')
    .description(
      'Several Docker hosts on this machine: h1, h2, ... behind the FRR router tor, and a plain host out behind it',
    )
    .addOption(new Option('--name <name>', 'which lab').default(defaultName).env('NET_ROUTED_LAB'));
  const name = (): string => program.opts<{ name: string }>().name;
  program
    .command('up')
    .description('make the lab, or complete it; no error when it is there')
    .option('--hosts <n>', 'number of Docker hosts (default 3)', count)
    .addOption(
      new Option('--engine <engine>', 'route engine of net-routed (default gobgp)').choices(['gobgp']),
    )
    .addOption(
      new Option('--kernel <kernel>', 'kernel that the lab runs on').choices(['host']).default('host'),
    )
    .addOption(
      new Option('--release <suite>', 'Debian release of the hosts (default: as this machine)').choices(
        releases,
      ),
    )
    .addOption(
      new Option(
        '--link <link>',
        'how hosts are connected (default routed): each with a link of its own to tor, which it peers with, or all by ' +
          'one link, without BGP with tor: in a cluster they peer with each other',
      ).choices(links),
    )
    .option('--docker', 'start dockerd on the hosts (default)')
    .option('--no-docker', 'do not')
    .option('--daemon', 'start net-routed on the hosts (default)')
    .option('--no-daemon', 'do not')
    .option('--cluster', 'make the hosts members of one cluster (default)')
    .option('--no-cluster', 'do not')
    .option('--docker-args <words>', 'further arguments of dockerd', words)
    .option('--daemon-args <words>', 'further arguments of the net-routed daemon', words)
    .action(async ({ kernel: _, ...options }: LabOptions & { kernel: string }) => {
      const before = performance.now();
      const lab = await Lab.up({ ...options, name: name(), say });
      say(table(await report(lab)));
      say(`lab ${name()} is up (${((performance.now() - before) / 1000).toFixed(1)} s)`);
    });
  program
    .command('exec <host> [command...]')
    .description('run a command in a host: lab exec h1 -- docker ps; a shell without a command')
    .allowUnknownOption();
  program
    .command('reboot <host>')
    .description('end everything in a host at once, as a power cut does, and start it again from its disk')
    .action(async (host: string) => {
      const lab = Lab.find(name());
      if (!lab) throw new LabError(`lab ${name()} is not up${others(name())}`);
      await lab.host(host).reboot();
      say(`${host} is up again`);
    });
  program
    .command('status')
    .description('show the hosts of the lab')
    .option('--json', 'as JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const lab = Lab.find(name());
      const rows = lab ? await report(lab) : [];
      if (json) say(JSON.stringify({ name: name(), up: lab !== undefined, hosts: rows }, null, 2));
      else if (lab) say(table(rows));
      else say(`lab ${name()} is not up${others(name())}`);
    });
  program
    .command('down')
    .description('remove the lab and everything of it; no error when there is none')
    .action(async () => {
      say((await Lab.down(name())) ? `lab ${name()} is down` : `lab ${name()} was not up${others(name())}`);
    });
  await program.parseAsync(argv);
}

function others(name: string): string {
  const rest = labNames().filter((other) => other !== name);
  return rest.length > 0 ? `; there is: ${rest.join(', ')} (--name)` : '';
}
