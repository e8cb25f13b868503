/**
 * What records are full of, for deflate to refer to: a record alone becomes a third smaller by it. What is frequent
 * stands last, where references to it are shorter. It belongs to version 1 of the protocol: to change a character of it
 * takes a new version.
 */
export const DICTIONARY: Uint8Array = Buffer.from(
  [
    '"protocol":"udp","port":53,"hostAddress":"0.0.0.0","hostPort":{"protocol":"tcp","port":',
    '"promise","coordinator":"seal":"admission":"publicKey":"number":"boot":"incarnation":"version":',
    'gone/member/lent/chunk/slot/tenant/host/"owner":"epoch":"pool":"first":"last":"size":"space":',
    '"gatewayGiven":true,"automatic":true,"gatewayGiven":false,"automatic":false,"createdAt":1',
    'pool/default:fd00:{"id":"default:10.0.0/24","tenant":"default","prefix":"range":"gateway":"169.254.1.1",',
    'network/{"id":"\u0001","tenant":"default","encap":"none","mtu":1500,"internal":false,"pools":["default:10.',
    '"ingress":["addressV6":"fd00:"mtu":"anycast":true,"phase":"left","use":"auxiliary","use":"gateway",',
    '"use":"resting","use":"held","since":1',
    '"aliases":[],"anycast":false,"phase":"joined","sandbox":"/var/run/docker/netns/',
    '","incarnation":"\u0002"-4026531840","ports":[],"createdAt":1',
    'endpoint/\u0001"{"id":"\u0001","network":"\u0001#","address":"10.192.168.172.16.',
    '","mac":"02:42:c0:a8:ac:0a:","aliases":[],"anycast":false,"phase":"created","ports":[],"createdAt":1',
    'allocation/default:10.0.0/16/10.{"pool":"default:10.","address":"10.',
    '","use":"endpoint","endpoint":"\u0001"","since":1',
  ].join(''),
);
