import { Command, CommanderError } from 'commander';
import { asCoded } from '../errors.ts';
import { RemoteError } from './client.ts';
import { addCluster } from './cluster.ts';
import { print } from './command.ts';
import type { RunDaemon } from './daemon.ts';
import { addDoctor } from './doctor.ts';
import { addLogs } from './logs.ts';
import { addSecret } from './secret.ts';
import { exitStatus, usageError, withHelp } from './usage.ts';
import { addViews } from './views.ts';

export interface Program {
  readonly version: string;
  readonly runDaemon: RunDaemon;
}

/** Runs a command line (without program name) to its end, and answers the exit status. Never throws. */
export async function runCli(args: readonly string[], { version, runDaemon }: Program): Promise<number> {
  let status = 0;
  const end = (code: number) => {
    status = code;
  };
  const program = new Command('net-routed')
    .description('A routed layer-3 network for Docker hosts.')
    .version(version)
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  const daemon = program.command('daemon').summary('serve Docker on this host');
  // Its settings take longer to load than most commands to run.
  const describes = args[0] === 'help' ? args[1] : args[0];
  if (describes === 'daemon') (await import('./daemon.ts')).describeDaemon(daemon, runDaemon, end);
  addViews(program);
  addCluster(program);
  addSecret(program);
  addDoctor(program, end);
  addLogs(program, end);
  program
    .command('version')
    .summary('print the version')
    .description('Prints the version of this command. That of the daemon is in status.')
    .option('--json', 'print it as JSON')
    .action(({ json }: { json?: boolean }) => {
      print(json ? JSON.stringify({ version }) : version);
    });
  try {
    await program.parseAsync(args, { from: 'user' });
    return status;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    if (error instanceof RemoteError) {
      process.stderr.write(`error ${error.message}\n`);
      return 1;
    }
    const coded = withHelp(
      program,
      args,
      error instanceof CommanderError ? usageError(error, args) : asCoded(error),
    );
    process.stderr.write(`error ${coded.message}\n`);
    return exitStatus(coded);
  }
}
