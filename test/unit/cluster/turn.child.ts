/** Becomes a member, or another one, or is one no more, and kills itself right before the n-th change of a file's name or end. */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { HERE, Machine, until } from './machine.ts';

const [folder = '', what, times, port, token = ''] = process.argv.slice(2);
let left = Number(times);

const machine = new Machine('b', folder);
machine.keeps = ['network'];
// What comes back by itself begins at the start.
if (what !== 'return') await machine.start();
const { renameSync, rmSync } = fs;
const deadly = <A extends unknown[]>(work: (...args: A) => void) => {
  return (...args: A) => {
    if (left-- === 0) process.kill(process.pid, 'SIGKILL');
    work(...args);
  };
};
fs.renameSync = deadly(renameSync);
fs.rmSync = deadly(rmSync);
syncBuiltinESMExports();

if (what === 'return') {
  await machine.start();
  await until(() => machine.it.describe().state === 'member' && !machine.it.node!.cluster.standing.starting);
} else if (what === 'init') await machine.it.init();
else if (what === 'join') await machine.it.join({ address: HERE, port: Number(port) }, token);
else await machine.it.leave();
process.exit(0);
