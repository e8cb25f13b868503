import { type Command, Option } from 'commander';
import type { z } from 'zod';
import { Client, defaultSocket, parse } from './client.ts';

/** What all commands that ask the daemon have in common. */
export interface Asking {
  readonly socket: string;
  readonly json: boolean;
}

/** Writes a text as a whole line, or lines. */
export function print(text: string): void {
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
}

/** Adds --json and --socket. */
export function asking(command: Command): Command {
  return command
    .option('--json', "print the API's JSON")
    .addOption(
      new Option(
        '--socket <PATH>',
        'where the daemon listens (default: /run/net-routed/api.sock; env: NET_ROUTED_SOCKET)',
      ),
    );
}

export function askingOf(command: Command): Asking {
  const { socket, json } = command.opts<{ socket?: string; json?: boolean }>();
  return { socket: socket ?? defaultSocket(process.env), json: json === true };
}

/** Asks for a view, and prints it for people or as it came. */
export async function show<T>(
  { socket, json }: Asking,
  path: string,
  view: z.ZodType<T>,
  render: (shown: T) => string,
): Promise<void> {
  const text = await new Client(socket).text(path);
  print(json ? text : render(parse(view, text)));
}
