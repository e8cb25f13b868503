import { readFileSync } from 'node:fs';
import { runCli } from './cli/program.ts';

const packageFile = new URL('../package.json', import.meta.url);
const { version } = JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string };

process.exitCode = await runCli(process.argv.slice(2), {
  version,
  // Only a daemon needs what is behind this: every other command starts the faster without it.
  runDaemon: async (settings) => (await import('./run.ts')).runDaemon(settings, version),
});
