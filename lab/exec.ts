/** `lab exec HOST -- COMMAND`: nothing of ours may be seen in its streams or its exit status. */
import { LabError } from './errors.ts';
import type { Running } from './host.ts';
import { Lab } from './lab.ts';

/** The words of an exec command, taken apart. */
export interface ExecWords {
  name: string | undefined;
  host: string;
  argv: string[];
}

/** Takes the command line apart if it is an exec; the first "--" behind the host is ours, all others are not. */
export function parseExec(words: string[]): ExecWords | undefined {
  let name = process.env.NET_ROUTED_LAB || undefined;
  let at = 0;
  if (words[at] === '--name') {
    name = words[at + 1];
    at += 2;
  } else if (words[at]?.startsWith('--name=')) {
    name = words[at]?.slice('--name='.length);
    at += 1;
  }
  if (words[at] !== 'exec') return undefined;
  const host = words[at + 1];
  if (host === undefined || host === '--help' || host === '-h') return undefined;
  const rest = words.slice(at + 2);
  if (rest[0] === '--') rest.shift();
  return { name, host, argv: rest.length > 0 ? rest : ['bash'] };
}

/** Runs it with our own streams and gives its exit status. */
export async function execCommand({ name, host, argv }: ExecWords): Promise<number> {
  const lab = Lab.find(name);
  if (!lab) throw new LabError(`lab ${name ?? 'lab'} is not up`);
  // Signals are passed on from before it runs, or one that comes at once would end us and not it.
  let running: Running | undefined;
  // A terminal sends its own signals to the command as well; for us they are only to outlive it.
  const { isTTY } = process.stdin;
  process.on('SIGTERM', () => running?.kill('SIGTERM'));
  for (const signal of ['SIGINT', 'SIGHUP', 'SIGQUIT'] as const)
    process.on(signal, () => {
      if (!isTTY) running?.kill(signal);
    });
  running = lab.host(host).spawn(argv, 'inherit');
  return running.done;
}
