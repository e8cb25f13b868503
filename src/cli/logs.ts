import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import type { Command } from 'commander';
import { statusView } from '../api/views.ts';
import { CodedError } from '../errors.ts';
import { Client, parse } from './client.ts';
import { asking, askingOf, print } from './command.ts';

/** `net-routed logs`: from the journal, or from the file that the daemon's standard error is. */
export function addLogs(program: Command, end: (status: number) => void): void {
  const command = program
    .command('logs')
    .summary("show the daemon's log")
    .description(
      "Shows the daemon's log: from the journal under systemd, or from the file that it writes to.",
    )
    .option('-f, --follow', 'go on with what comes')
    .option('-n, --lines <N>', 'how many of the last lines', '100');
  asking(command).action(async () => {
    const { follow, lines = '' } = command.opts<{ follow?: boolean; lines?: string }>();
    if (!/^\d{1,9}$/.test(lines))
      throw new CodedError('NR_USAGE', `--lines: ${JSON.stringify(lines)} is not a number`);
    const { socket, json } = askingOf(command);
    const log = await whereTo(socket);
    if (json) return print(JSON.stringify({ log }));
    const more = follow ? ['-f'] : [];
    if (log === 'journal')
      end(await pass('journalctl', ['-u', 'net-routed', '-o', 'cat', '-n', lines, ...more]));
    else if (log.startsWith('/')) end(await pass('tail', ['-n', lines, ...more, '--', log]));
    else print('the daemon writes its log to its standard error: look where it was started');
  });
}

/** `journal`, a file's path, or `standard error`. A daemon that is down had, under systemd, the journal. */
async function whereTo(socket: string): Promise<string> {
  try {
    return parse(statusView, await new Client(socket).text('/v1/status')).log;
  } catch (error) {
    const down = error instanceof CodedError && error.code === 'NR_DAEMON_UNREACHABLE';
    if (down && existsSync('/run/systemd/system')) return 'journal';
    throw error;
  }
}

/** Runs a program in this one's place, as far as Node can, and answers its exit status. */
function pass(file: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: 'inherit' });
    child.on('error', (error) =>
      reject(new CodedError('NR_INTERNAL', `${file}: ${error.message}`, { cause: error })),
    );
    child.on('close', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
}
