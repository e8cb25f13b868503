import { CodedError } from '../errors.ts';
import { Address } from '../net/address.ts';
import { type Peer, speakerKey } from '../ports/speaker.ts';
import { rangeOf } from './rules.ts';

/** Refuses what no engine could do. @throws NR_PEER_INVALID */
export function checkPeer(peer: Peer): void {
  const wrong = (what: string) => new CodedError('NR_PEER_INVALID', `${speakerKey(peer)} ${what}`);
  if ((peer.address === undefined) === (peer.interface === undefined)) {
    throw wrong('needs an address or an interface, and not both');
  }
  for (const address of [peer.address, peer.localAddress]) {
    if (address !== undefined && !Address.tryParse(address))
      throw wrong(`has a malformed address ${address}`);
  }
  if (peer.interface !== undefined && !/^[\w.:-]{1,15}$/.test(peer.interface)) {
    throw wrong('has a malformed interface');
  }
  if (peer.holdTime < 3 || peer.holdTime > 65535) throw wrong('needs a hold time from 3 to 65535 seconds');
  if (peer.keepalive < 1 || peer.keepalive > peer.holdTime)
    throw wrong('needs a keepalive within the hold time');
  if (peer.connectRetry < 1) throw wrong('needs a connect retry time of 1 second or more');
  if (peer.multihop < 1 || peer.multihop > 255) throw wrong('needs 1 to 255 hops');
  if (peer.port < 1 || peer.port > 65535) throw wrong('needs a port from 1 to 65535');
  if (peer.gracefulRestart < 0 || peer.gracefulRestart > 4095)
    throw wrong('needs a restart time to 4095 seconds');
  if (peer.password !== undefined && !/^[\x21-\x7e]{1,80}$/.test(peer.password)) {
    throw wrong('needs a password of 1 to 80 printable characters');
  }
  for (const rule of [...peer.import, ...peer.export]) rangeOf(rule);
}
