/**
 * Ends mocha, with a failure, when something that a test has left behind keeps its process from ending by itself, and says
 * what that is.
 */

/** Longer than what ends by itself, such as a connection that is being closed. */
const PATIENCE_MS = 30_000;

interface Handle {
  readonly type: string;
  readonly is_active: boolean;
  readonly is_referenced: boolean;
}

export const mochaHooks = {
  afterAll(): void {
    const late = () => {
      const { libuv } = process.report.getReport() as unknown as { libuv: readonly Handle[] };
      const left = {
        handles: libuv.filter((handle) => handle.is_active && handle.is_referenced),
        resources: process.getActiveResourcesInfo(),
      };
      process.stderr.write(`tests have left behind what keeps the process alive: ${JSON.stringify(left)}\n`);
      // Mocha sets its own code when the process exits.
      process.on('exit', () => {
        process.exitCode = 1;
      });
      process.exit();
    };
    setTimeout(late, PATIENCE_MS).unref();
  },
};
