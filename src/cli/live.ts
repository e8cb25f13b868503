import { asCoded } from '../errors.ts';

/** Longest time that an orderly end may take, in milliseconds. */
const STOP_MS = 15_000;

/** As much of a logger as is needed here. */
export interface Log {
  info(context: object, message: string): void;
  error(context: object, message: string): void;
}

/** What has a beginning and an end. */
export interface Living {
  start(): Promise<unknown>;
  /** Reads again what may change while it runs. Never throws. */
  reload?(): void;
  stop(): Promise<void>;
}

export interface Life {
  readonly log: Log;
  /** It serves now; it is about to end. */
  readonly up?: () => void;
  readonly down?: () => void;
  /** A promise was rejected and nobody listened. */
  readonly unhandled?: () => void;
}

/**
 * Runs it until SIGTERM or SIGINT, and answers the exit status; SIGHUP has it reload. A second SIGINT ends the process at once. An
 * uncaught exception does so too, because after one nothing can be relied upon.
 */
export async function live(daemon: Living, { log, up, down, unhandled }: Life): Promise<number> {
  const signalled = signals();
  process.on('SIGHUP', () => {
    log.info({}, 'reads again what may change while it runs');
    daemon.reload?.();
  });
  process.on('unhandledRejection', (reason) => {
    log.error({ err: asCoded(reason) }, 'a promise was rejected and nobody listened');
    unhandled?.();
  });
  process.on('uncaughtException', (error) => {
    log.error({ err: error }, 'uncaught exception, the process ends');
    process.exit(1);
  });
  try {
    await daemon.start();
  } catch (error) {
    await stop(daemon, log);
    throw error;
  }
  up?.();
  log.info({ signal: await signalled }, 'daemon ends; routes and interfaces stay');
  down?.();
  return (await stop(daemon, log)) ? 0 : 1;
}

/** The first signal that asks for an end. */
function signals(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let interrupted = false;
    process.on('SIGTERM', resolve);
    process.on('SIGINT', (signal) => {
      if (interrupted) process.exit(130);
      interrupted = true;
      resolve(signal);
    });
  });
}

/** Answers whether it ended in time. */
async function stop(daemon: Living, log: Log): Promise<boolean> {
  const late = new Promise<false>((resolve) => setTimeout(resolve, STOP_MS, false).unref());
  const orderly = await Promise.race([daemon.stop().then(() => true), late]);
  if (!orderly) log.error({ ms: STOP_MS }, 'could not end in time');
  return orderly;
}
