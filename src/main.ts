import { readFileSync } from 'node:fs';
import { live } from './cli/live.ts';
import { Notifier } from './cli/notify.ts';
import { runCli } from './cli/program.ts';
import { systemClock } from './clock.ts';
import type { Settings } from './config/settings.ts';

const packageFile = new URL('../package.json', import.meta.url);
const { version } = JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string };

/** Only a daemon needs what is imported here: every other command starts the faster without it. */
async function runDaemon(settings: Settings): Promise<number> {
  const [{ Daemon }, { pino }] = await Promise.all([import('./daemon.ts'), import('pino')]);
  const base = { pid: process.pid };
  const log = pino({ level: settings.logLevel, base }, pino.destination({ dest: 2, sync: true }));
  const daemon = new Daemon(settings, log, version);
  const systemd = new Notifier(process.env, log, systemClock);
  return live(daemon, {
    log,
    up: () => {
      systemd.ready(() => daemon.live());
      log.info({ version }, 'daemon is up');
    },
    down: () => systemd.stopping(),
    unhandled: () => daemon.metrics.onUnhandled(),
  });
}

// Whoever reads may have seen enough: `net-routed routes | head -1`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

const status = await runCli(process.argv.slice(2), { version, runDaemon });
// A command has nothing left to wait for; what has not ended by now would only hold the process.
process.exit(status);
