// A daemon that does nothing but begin and end, in a process of its own: signals and exit statuses are real.
import { live } from '../../../src/cli/live.ts';

const [how = ''] = process.argv.slice(2);
const say = (text: string) => process.stdout.write(`${text}\n`);
const log = {
  info: (_: object, message: string) => say(message),
  error: (_: object, message: string) => say(message),
};
const hold = setInterval(() => {}, 1000);
const daemon = {
  async start() {
    if (how === 'refuses') throw new Error('no');
    setTimeout(() => {
      if (how === 'rejects') void Promise.reject(new Error('forgotten'));
      if (how === 'throws') throw new Error('never caught');
    }, 1);
  },
  reload() {
    say('reloaded');
  },
  async stop() {
    say('stopped');
    if (how === 'hangs') await new Promise(() => {});
    clearInterval(hold);
  },
};
const status = await live(daemon, {
  log,
  up: () => say('up'),
  down: () => say('down'),
  unhandled: () => say('counted'),
}).catch((error: Error) => {
  say(`failed: ${error.message}`);
  return 1;
});
process.exit(status);
