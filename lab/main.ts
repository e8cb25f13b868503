/** The lab's command line. */
import { commandLine } from './commands.ts';
import { LabError } from './errors.ts';
import { execCommand, parseExec } from './exec.ts';

try {
  if (process.getuid?.() !== 0) throw new LabError('namespaces and Docker hosts need root');
  // The command after `exec` belongs to the host, to the last dash: no option parser may see it.
  const exec = parseExec(process.argv.slice(2));
  if (exec) process.exitCode = await execCommand(exec);
  else await commandLine(process.argv);
} catch (error) {
  if (!(error instanceof LabError)) throw error;
  process.stderr.write(`lab: ${error.message}\n`);
  process.exitCode = 1;
}
