/**
 * Looks for neighbours in the namespace that it is in, and is found by them: `ID PORT ADDRESSES SAID`, the last two as
 * JSON, SAID for where it says to be. Says on a line of its own, as JSON, where some are, whenever that changes; ends with
 * its input.
 */
import { systemClock } from '../../src/clock.ts';
import { Neighbours } from '../../src/cluster/membership/neighbours.ts';
import type { Addresses } from '../../src/cluster/node/node.ts';

const CLUSTER = '0f3b2c1a-0000-4000-8000-1234567890ab';
const [id = '', port, addresses = '{}', said = '{}'] = process.argv.slice(2);
const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const neighbours = new Neighbours({ finds: true, listen: { port: Number(port) }, clock: systemClock, log });
neighbours.moved(JSON.parse(addresses) as Addresses);
neighbours.look(CLUSTER, () => ({ id, port: Number(port), ...(JSON.parse(said) as Addresses) }));
let last = '';
const look = setInterval(() => {
  const places = JSON.stringify([...neighbours.places()]);
  if (places !== last) process.stdout.write(`${places}\n`);
  last = places;
}, 20);
process.stdin.resume().on('end', () => {
  clearInterval(look);
  neighbours.stop();
});
