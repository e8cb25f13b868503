import { pino } from 'pino';
import type { Settings } from './config/settings.ts';
import { Daemon } from './daemon.ts';
import { asCoded } from './errors.ts';

/** Longest time that an orderly end may take, in milliseconds. */
const STOP_MS = 15_000;

/** Runs the daemon until a signal ends it; answers the exit status. */
export async function runDaemon(settings: Settings, version: string): Promise<number> {
  const log = pino({ level: settings.logLevel, base: { pid: process.pid } }, pino.destination({ dest: 2, sync: true }));
  const daemon = new Daemon(settings, log, version);
  const signalled = new Promise<NodeJS.Signals>((resolve) => {
    let interrupted = false;
    process.on('SIGTERM', resolve);
    process.on('SIGINT', (signal) => {
      if (interrupted) process.exit(130);
      interrupted = true;
      resolve(signal);
    });
  });
  process.on('unhandledRejection', (reason) => {
    log.error({ err: asCoded(reason) }, 'a promise was rejected and nobody listened');
  });
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'uncaught exception');
    process.exit(1);
  });

  try {
    await daemon.start();
  } catch (error) {
    await stop(daemon, log);
    process.stderr.write(`error ${asCoded(error).message}\n`);
    return 1;
  }
  log.info({ version }, 'daemon is up');
  const signal = await signalled;
  log.info({ signal }, 'daemon ends; routes and interfaces stay');
  const orderly = await stop(daemon, log);
  process.exit(orderly ? 0 : 1);
}

/** Answers whether it ended in time. */
async function stop(daemon: Daemon, log: { error(context: object, message: string): void }): Promise<boolean> {
  const late = new Promise<false>((resolve) => setTimeout(resolve, STOP_MS, false).unref());
  const orderly = await Promise.race([daemon.stop().then(() => true), late]);
  if (!orderly) log.error({ ms: STOP_MS }, 'could not end in time');
  return orderly;
}
