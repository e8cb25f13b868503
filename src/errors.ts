/**
 * Every error that a person can see, in one table. Each code has a paragraph in docs/errors.md
 * (a test compares the two), an HTTP status for the operator API, and a remedy, which is the one unless whoever throws
 * the error knows a better one.
 */
const TABLE = {
  // What was asked for is malformed or not allowed.
  NR_ADDRESS_INVALID: [400, 'write a plain IPv4 or IPv6 address, such as 10.1.0.2 or fd00:9::2'],
  NR_PREFIX_INVALID: [400, 'write a prefix without host bits, such as 10.1.0.0/16 or fd00:9::/64'],
  NR_MAC_INVALID: [400, 'write a unicast MAC address, such as 02:42:0a:01:00:02'],
  NR_MTU_INVALID: [400, 'choose an MTU from 68 (1280 with IPv6) to 65535'],
  NR_OPTION_UNKNOWN: [400, 'use one of the options listed'],
  NR_OPTION_INVALID: [400, 'correct the value of the option'],
  NR_OPTION_CONFLICT: [400, 'give the option once, or the same value in both places'],
  NR_REQUEST_INVALID: [400, 'send the JSON body that the Docker plugin API describes'],
  NR_REQUEST_TOO_LARGE: [413, 'send a body of at most 1 MiB'],
  NR_METHOD_UNKNOWN: [404, 'check the path and use POST; the driver answers only the calls of its type'],
  NR_SWARM_UNSUPPORTED: [400, 'leave out --scope swarm: a network of local scope reaches all hosts as well'],
  NR_CONFIG_INVALID: [400, 'correct the setting; net-routed daemon --help lists them all'],
  NR_IPAM_FOREIGN: [400, 'add --ipam-driver ipam-routed to docker network create'],
  NR_ENCAP_UNSUPPORTED: [400, 'leave out -o encap, or use encap=none'],
  NR_TENANT_UNKNOWN: [404, 'leave the option out: this release has the tenant default only'],
  NR_POOL_OVERLAP: [409, 'choose a subnet that does not overlap'],
  NR_POOL_RANGE_INVALID: [400, 'give an --ip-range within the subnet'],
  NR_POOL_UNKNOWN: [404, 'create the network again; docker network ls shows which exist'],
  NR_POOL_FULL: [
    409,
    'remove containers that are no longer needed, or create a network with a larger subnet',
  ],
  NR_POOL_IN_USE: [409, 'disconnect the endpoints listed first'],
  NR_POOLS_EXHAUSTED: [409, 'give --subnet, or add prefixes to the setting automaticPools'],
  NR_ADDRESS_OUTSIDE: [400, 'choose an address within the subnet of the network'],
  NR_ADDRESS_RESERVED: [400, 'choose an address that is not the network, broadcast or gateway address'],
  NR_ADDRESS_UNUSABLE: [400, 'choose an address that is not special, nor of the host and its links'],
  NR_ADDRESS_IN_USE: [409, 'choose another address, or stop the endpoint that holds it'],
  NR_ADDRESS_ANNOUNCED: [409, 'choose another address, or set driver-opt anycast=true on all of its holders'],
  NR_NETWORK_UNKNOWN: [404, 'docker network ls shows which networks exist'],
  NR_NETWORK_NAME_UNKNOWN: [404, 'give one of these names, or --subnet to make the network'],
  NR_NETWORK_NAME_TAKEN: [409, 'give another name, or leave --subnet out to have that network here'],
  NR_NETWORK_DIFFERS: [409, 'net-routed networks show NAME tells what it is like'],
  NR_NETWORK_IN_USE: [409, 'disconnect the endpoints listed first'],
  NR_NETWORK_EXISTS: [409, 'remove the network of that id first'],
  NR_ENDPOINT_UNKNOWN: [404, 'net-routed endpoints list shows which endpoints exist'],
  NR_ENDPOINT_EXISTS: [409, 'delete the endpoint first'],
  NR_ENDPOINT_JOINED: [409, 'the endpoint has to leave its sandbox first'],
  NR_ENDPOINT_NOT_JOINED: [409, 'join the endpoint to a sandbox first'],
  NR_ENDPOINT_NO_ADDRESS: [400, 'use --ipam-driver ipam-routed, which gives each endpoint an address'],
  NR_ADDRESS_NOT_HELD: [409, 'let Docker ask the IPAM driver for the address first'],
  NR_PORT_IN_USE: [409, 'choose another host port or host address, or stop what has it'],
  // What we depend on does not do its part.
  NR_STORE_FAILED: [503, 'check free space and permissions of the state folder'],
  NR_STORE_NEWER: [503, 'run the release that wrote the state, or a newer one'],
  NR_STORE_LOCKED: [503, 'stop the other daemon that uses this state folder'],
  NR_STORE_IDENTITY: [503, 'restore the state folder as a whole, or move it away to begin as a new host'],
  NR_STORE_UNSEALED: [
    503,
    'remove the networks of the host, move its state folder away, and let it join again',
  ],
  NR_STORE_CONFLICT: [409, 'try again: the record was changed in the meantime'],
  NR_STORE_STAMP: [
    409,
    'use another name: a member whose clock or program was wrong has written this one for good',
  ],
  NR_STORE_RECORD: [500, 'report this: a record that the store cannot keep reached it'],
  NR_STORE_TOO_LARGE: [413, 'give fewer or shorter options; a record holds at most 64 KiB'],
  NR_KERNEL_REFUSED: [503, 'net-routed doctor shows what the kernel lacks'],
  NR_KERNEL_UNAVAILABLE: [503, 'check that iproute2 is installed and that the daemon runs as root'],
  NR_KERNEL_ARGUMENT: [500, 'report this: a value that the kernel adapter cannot encode reached it'],
  NR_FOREIGN_OBJECT: [409, 'remove or rename the object, which is not ours, or choose another address'],
  NR_CONNTRACK_FAILED: [
    503,
    'check that conntrack (of conntrack-tools) is installed and that the daemon runs as root',
  ],
  NR_FIREWALL_REFUSED: [503, 'net-routed doctor shows what nftables lacks'],
  NR_FIREWALL_UNAVAILABLE: [503, 'check that nftables is installed and that the daemon runs as root'],
  NR_FIREWALL_ARGUMENT: [500, 'report this: a value that the firewall adapter cannot encode reached it'],
  NR_SPEAKER_UNAVAILABLE: [
    503,
    'net-routed status shows the engine; check that gobgpd is installed and can listen',
  ],
  NR_SPEAKER_REFUSED: [503, 'net-routed status shows the engine, net-routed peers its neighbours'],
  NR_SPEAKER_FIELD: [500, 'report this: a field that the engine does not know was about to be sent'],
  NR_EXPORT_DENIED: [500, 'report this: a prefix outside of the pools was about to be announced'],
  NR_PEER_INVALID: [400, 'correct the peer in the configuration'],
  NR_DEADLINE: [504, 'net-routed status shows what it waits for; the work goes on in the background'],
  NR_SANDBOX_GONE: [409, 'the container has ended; nothing needs to be done'],
  NR_DOCKER_UNAVAILABLE: [503, 'check that dockerd runs; only the comparison with Docker waits for it'],
  NR_PROPAGATE_NAME: [
    409,
    'remove the other network, or give this one another name here: docker network create with --ipam-opt network=NAME',
  ],
  NR_PROPAGATE_IN_USE: [409, 'remove its containers from it; it goes by itself then'],
  NR_PROPAGATE_UNREADABLE: [
    409,
    'run the latest release on all hosts; docker network rm removes it here at once',
  ],
  NR_PROPAGATE_REFUSED: [503, 'it is tried again by itself; what Docker says tells what stands in the way'],
  NR_PEER_DOWN: [503, 'net-routed peers tells what stands in the way; learned routes of other peers stay'],
  NR_TOKEN_INVALID: [400, 'copy the whole token again; it begins with nrj1_'],
  NR_TOKEN_REFUSED: [403, 'make another token on a host of the cluster'],
  NR_JOIN_UNTRUSTED: [403, 'check the address, the token and the clocks of both hosts'],
  NR_JOIN_FAILED: [503, 'check the address and that the host there is up, and try again with the same token'],
  NR_SECRET_INVALID: [400, 'copy the whole secret again; it begins with nrs1_'],
  NR_SECRET_FILE: [400, 'correct the file that clusterSecretFile names; net-routed secret makes one'],
  NR_SECRET_MISMATCH: [
    409,
    'set clusterSecretFile as it was, or move the state folder away to begin as a new host',
  ],
  NR_TRUST_FAILED: [503, 'check the file named; a host without its key has to join anew'],
  NR_ID_AMBIGUOUS: [409, 'give one of these, or more of the id'],
  NR_PATH_UNKNOWN: [404, 'docs/cli.md lists the paths of the operator API'],
  NR_VERB_UNSUPPORTED: [405, 'use a method that the header Allow names'],
  NR_QUERY_INVALID: [400, 'docs/cli.md lists the paths of the operator API with their parameters'],
  NR_ANSWER_UNKNOWN: [502, 'use the net-routed command of the release that the daemon runs'],
  NR_CLUSTER_EXISTS: [409, 'leave the cluster first: net-routed leave'],
  NR_CLUSTER_LEFT: [503, 'to come back: net-routed stay; else remove clusterSecretFile from the settings'],
  NR_CLUSTER_NONE: [409, 'make a cluster with net-routed init, or join one with net-routed join'],
  NR_CLUSTER_KEY: [
    409,
    'ask a host that holds it: net-routed hosts shows which; net-routed share HOST there',
  ],
  NR_KEY_LOST: [
    503,
    'bring the key back: docs/errors.md tells how; net-routed share, in time, has two or three hosts hold it',
  ],
  NR_CLUSTER_BUSY: [409, 'wait for its end; net-routed status shows it'],
  NR_CLUSTER_SECRET: [409, 'give other hosts the same clusterSecretFile; nothing else is needed'],
  NR_CLUSTER_WAITING: [
    503,
    'start a member at one of the seeds, or set founder to the host that is to make it',
  ],
  NR_CLUSTER_FOUNDERS: [
    503,
    'decide which one stays; on the hosts of the other remove the networks, and move the state folders away',
  ],
  NR_CLUSTER_LISTEN: [503, 'stop what has the port, or set clusterPort and clusterAddress'],
  NR_JOIN_IN_USE: [409, 'remove the networks of this host first: docker network rm'],
  NR_MEMBER_UNREACHABLE: [
    503,
    'bring the host back, or forget it if it will not return: net-routed forget HOST',
  ],
  NR_MEMBER_REFUSED: [403, 'join the cluster first: net-routed join HOST --token TOKEN'],
  NR_MEMBER_GONE: [409, 'nothing: the host comes back by itself, unless it is banned'],
  NR_MEMBER_CLONED: [
    409,
    'stop the one that is not to stay, and let another host forget them: the other one comes back by itself',
  ],
  NR_MEMBER_PASSED: [409, 'nothing: the host comes back by itself'],
  NR_MEMBER_ROLLED_BACK: [
    409,
    'make sure that no copy of it runs, and let another host forget it: it comes back by itself',
  ],
  NR_MEMBER_BUSY: [409, 'nothing: it is tried again by itself'],
  NR_REQUEST_FORBIDDEN: [
    403,
    'switch off and forget the host that the log names, and find out what runs on it',
  ],
  NR_RECORD_FORGED: [
    403,
    'switch off and forget the host that the message names, and find out what runs on it',
  ],
  NR_RECORD_UNPROVEN: [
    409,
    'switch off and forget the host that wrote it if it was broken into; else docs/errors.md tells what it waits for',
  ],
  NR_MEMBER_UNKNOWN: [404, 'net-routed hosts lists the members'],
  NR_MEMBER_HALTED: [
    503,
    'wait if it was forgotten, as it comes back by itself; net-routed status tells what stands in the way',
  ],
  NR_RETURN_BANNED: [
    403,
    'let it come back, on a member: net-routed unban HOST; or remove its networks and let it join with a token',
  ],
  NR_RETURN_WAITS: [
    409,
    'stop whatever copy of this host runs, and let another one forget it: it comes back by itself then',
  ],
  NR_RETURN_UNREACHABLE: [503, 'bring a host back that holds the key of the cluster: net-routed hosts'],
  NR_RETURN_REFUSED: [
    403,
    'remove the networks of this host, and let it join again: net-routed join HOST --token TOKEN',
  ],
  NR_MEMBER_STARTING: [503, 'wait a few seconds: it asks the other hosts first'],
  NR_MEMBER_STOPPED: [
    409,
    'switch it off if it is a copy; else let another host forget it, and it comes back by itself: net-routed forget HOST',
  ],
  NR_MEMBER_LEAVING: [409, 'wait until the host has left, or take it back: net-routed stay'],
  NR_MEMBER_INCOMPLETE: [503, 'wait until more than half of the members can be reached'],
  NR_MEMBER_MISSING: [
    503,
    'bring a host back that knows it; if there is none, this host keeps what was removed, and works all the same',
  ],
  NR_MEMBER_IN_USE: [409, 'remove the containers and networks of this host first'],
  NR_MEMBER_ALONE: [409, 'wait until another host is let in, or forget those that will not come back'],
  NR_PROBES_BLOCKED: [
    503,
    'let UDP through between all hosts on the cluster port; until then a host that is gone shows later',
  ],
  NR_HOST_CLOCK: [503, 'set the clock of this host, best by NTP (timedatectl set-ntp true), and try again'],
  NR_OWNER_DISPUTED: [
    503,
    'forget the host whose disk was set back, and stop the containers that one of the two hosts has there',
  ],
  NR_MEMBER_CLOCK: [503, 'set the clocks of all hosts by NTP'],
  NR_MEMBER_NAME: [
    409,
    'forget the one that is gone, by its id; or let one leave, and join again with another hostName in its settings',
  ],
  NR_MEMBER_CERTIFICATE: [
    503,
    'bring a host back that holds the key of the cluster (net-routed hosts), or let this one join anew',
  ],
  NR_RESTARTING: [503, 'try again in a moment; if it lasts, net-routed logs tells why'],
  NR_FORGET_BUSY: [409, 'wait a moment and try again; one host at a time forgets'],
  NR_FORGET_SELF: [400, 'use net-routed leave'],
  NR_FORGET_ALIVE: [
    409,
    'use net-routed leave there, or switch it off first; --force forgets it all the same',
  ],
  NR_FORGET_DONE: [409, 'nothing: the host is gone already'],
  NR_FORGET_KEY: [
    409,
    'have another one hold it first, on that host: net-routed share HOST; or add --force, after which nobody can be let in',
  ],
  NR_FORGET_MAJORITY: [409, 'make sure that the others are the ones that are gone, and add --force'],
  NR_DAEMON_UNREACHABLE: [503, 'start net-routed daemon, or give --socket'],
  NR_SOCKET_IN_USE: [503, 'stop the other daemon, or give another socket folder'],
  NR_USAGE: [400, 'see net-routed --help'],
  NR_INTERNAL: [500, 'report this with the log; nothing was changed'],
} as const satisfies Record<string, readonly [status: number, remedy: string]>;

export type ErrorCode = keyof typeof TABLE;

/** All codes, for the documentation's test. */
export const ERROR_CODES = Object.keys(TABLE) as ErrorCode[];

/** Whether a text that came from elsewhere is a code of this release. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(TABLE, text);
}

interface CodedOptions extends ErrorOptions {
  /** What to do where the one of the table is wrong, as it depends on more than the code. */
  readonly remedy?: string | undefined;
}

/** An error with a code of the table: `what` says what was wrong; what to do says the table, or who throws it. */
export class CodedError extends Error {
  override readonly name = 'CodedError';
  readonly code: ErrorCode;
  /** What was wrong, without code and remedy. */
  readonly what: string;
  /** What the person who sees it can do. */
  readonly remedy: string;

  constructor(code: ErrorCode, what: string, { remedy = TABLE[code][1], ...options }: CodedOptions = {}) {
    super(`${code}: ${what}; ${remedy}`, options);
    this.code = code;
    this.what = what;
    this.remedy = remedy;
  }

  /** HTTP status for the operator API. */
  get status(): number {
    return TABLE[this.code][0];
  }

  /** The same error in other words, with this one as its cause. */
  saying(what: string): CodedError {
    return new CodedError(this.code, what, { cause: this, remedy: this.remedy });
  }
}

/** `error` itself if it is coded, else an NR_INTERNAL that has it as its cause. */
export function asCoded(error: unknown): CodedError {
  if (error instanceof CodedError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new CodedError('NR_INTERNAL', text, { cause: error });
}
