import type { Command } from 'commander';
import { doctorView } from '../api/views.ts';
import { CodedError } from '../errors.ts';
import { Client, parse } from './client.ts';
import { asking, askingOf, print } from './command.ts';
import { doctorStatus, renderDoctor } from './show/doctor.ts';

/** `net-routed doctor`: asks the daemon, and without one looks at the host itself. */
export function addDoctor(program: Command, end: (status: number) => void): void {
  const command = program
    .command('doctor')
    .summary('check this host, and repair what can be')
    .description(
      'Checks this host. Exit status 1 when a check fails. Without a daemon it checks what it can see.',
    )
    .option(
      '--fix',
      "repair first: what is net-routed's, packet forwarding of the host, and a policy of iptables that drops it",
    );
  asking(command).action(async () => {
    const { socket, json } = askingOf(command);
    const fix = command.opts<{ fix?: boolean }>().fix === true;
    let text: string;
    try {
      text = await new Client(socket).text(fix ? '/v1/doctor/fix' : '/v1/doctor', fix ? 'POST' : 'GET');
    } catch (error) {
      if (!(error instanceof CodedError) || error.code !== 'NR_DAEMON_UNREACHABLE') throw error;
      const { withoutDaemon } = await import('./undaemoned.ts');
      text = JSON.stringify(await withoutDaemon(error, fix));
    }
    const shown = parse(doctorView, text);
    print(json ? text : renderDoctor(shown));
    end(doctorStatus(shown));
  });
}
