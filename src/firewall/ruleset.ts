import { createHash } from 'node:crypto';
import { LINK_GROUP } from '../ports/kernel.ts';

/** Our one table, of family inet. */
export const TABLE = 'inet net_routed';

/** Layout of the sets. Counted up when another release could not read the elements of this one. */
const SCHEMA = 1;

/**
 * Into how many sets the ingress permits are spread, by link. The kernel deletes an element of an interval set in
 * time proportional to the set: measured 10 to 25 ms for one of 2,000, all of nftables being locked meanwhile.
 */
const SHARDS = 32;

/** The shard of a link's permits, as part of names. */
export function shardOf(link: string): string {
  let hash = 0x811c9dc5; // FNV-1a
  for (const byte of Buffer.from(link)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return shardName(hash % SHARDS);
}

const shardName = (index: number) => String(index).padStart(2, '0');
const shards = (render: (shard: string) => string) =>
  Array.from({ length: SHARDS }, (_, index) => render(shardName(index))).join('');

/**
 * The sets, with their types. The chains never change while the daemon runs; endpoints come and go as elements.
 *
 * - source: a link and an address that it may send from
 * - guarded: links whose endpoint is not open to everybody, with the chain that has their permits
 * - asked: ingress permits as they were asked for: first address, last address, and which notation they were written in.
 *   No rule looks at it: it is what ingress is computed from, and how a restarted daemon finds the permits again
 * - ingress: the same addresses, merged so that nothing overlaps, as interval sets demand
 * - publish: host address, protocol and port to container address and port; any: for every host address
 */
const SETS = `
  set source4 { type ifname . ipv4_addr; }
  set source6 { type ifname . ipv6_addr; }
  map guarded { type ifname : verdict; }
  set asked4 { type ifname . ipv4_addr . ipv4_addr . mark; }
  set asked6 { type ifname . ipv6_addr . ipv6_addr . mark; }
  map publish4 { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }
  map publish6 { type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service; }
  map publish4any { type inet_proto . inet_service : ipv4_addr . inet_service; }
  map publish6any { type inet_proto . inet_service : ipv6_addr . inet_service; }
${shards(
  (shard) => `  set ingress4_${shard} { type ifname . ipv4_addr; flags interval; }
  set ingress6_${shard} { type ifname . ipv6_addr; flags interval; }
`,
)}`;

/**
 * The chains. Each policy is accept, and each base chain's first rule leaves whatever has nothing to do with our
 * links or published ports. An accept here ends only the chain it stands in: a drop of another table's chain at
 * the same hook, such as Docker's FORWARD policy, still holds.
 *
 * source, prerouting -310: before conntrack (-200) and every raw chain (-300), so that a spoofed packet neither
 * makes a conntrack entry nor meets another program's rules. Only links of our group that are veths are looked at:
 * a VRF or a tunnel may carry the group too, and other people's links may have any name. 127.0.0.0/8 is dropped
 * because route_localnet, which publishing on 127.0.0.1 needs, would open the host's loopback to the container.
 * Link-local and unspecified IPv6 sources are never forwarded by a router (RFC 4291 2.5.6); what they need is
 * neighbour discovery, duplicate address detection and multicast listening. Router advertisements and redirects are
 * left out on purpose: the host could take a container for its router (CVE-2020-13401).
 *
 * guard, forward -10: before Docker's and most others' filters (0), so that a refusal is told to the sender
 * instead of being dropped by somebody's policy. The map leads to the chain that has the link's permits. Only forwarded packets: the host itself is not refused, since
 * health checks and debugging come from there, and its root could enter the container anyway. Open connections
 * outlive the removal of a permit. ICMP passes, as path MTU discovery needs it. The own source comes in by a
 * published port of the endpoint itself, hence with status dnat.
 *
 * publish, prerouting and output -90: after Docker's nat (-100), so that a port of its own stays its own; the first
 * chain that translates wins. The output hook serves the host itself; 127.0.0.1 works when the link's
 * route_localnet is 1; ::1 has no such setting and is left alone.
 *
 * hairpin, postrouting 110: after Docker's (100). Replies always come back through this host, since the endpoint's
 * only route goes here; so sources are kept but for two: the endpoint's own, which it would take for a forgery,
 * and loopback, to which it could not answer.
 */
const CHAINS = `
  chain source {
    type filter hook prerouting priority -310; policy accept;
    iifgroup ${LINK_GROUP} meta iifkind "veth" jump source_check
  }
  chain source_check {
    ip daddr 127.0.0.0/8 counter name spoofed drop
    iifname . ip saddr @source4 accept
    iifname . ip6 saddr @source6 accept
    ip6 saddr { ::, fe80::/10 } icmpv6 type { echo-request, echo-reply, mld-listener-report, mld-listener-done, nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert, mld2-listener-report } accept
    counter name spoofed drop
  }
  chain guard {
    type filter hook forward priority -10; policy accept;
    oifname vmap @guarded
  }
  chain open {
    ct state established,related accept
    meta l4proto { 1, 58 } accept
    ct state invalid counter name invalid drop
    ct status dnat oifname . ip saddr @source4 accept
    ct status dnat oifname . ip6 saddr @source6 accept
  }
${shards(
  (shard) => `  chain ingress_${shard} {
    jump open
    oifname . ip saddr @ingress4_${shard} accept
    oifname . ip6 saddr @ingress6_${shard} accept
    goto refuse
  }
`,
)}  chain refuse {
    counter name refused
    meta l4proto 6 reject with tcp reset
    reject with icmpx type admin-prohibited
  }
  chain publish_in {
    type nat hook prerouting priority -90; policy accept;
    fib daddr type local jump publish
  }
  chain publish_out {
    type nat hook output priority -90; policy accept;
    ip6 daddr ::1 return
    fib daddr type local jump publish
  }
  chain publish {
    dnat ip to ip daddr . meta l4proto . th dport map @publish4
    dnat ip6 to ip6 daddr . meta l4proto . th dport map @publish6
    meta nfproto ipv4 dnat ip to meta l4proto . th dport map @publish4any
    meta nfproto ipv6 dnat ip6 to meta l4proto . th dport map @publish6any
  }
  chain hairpin {
    type nat hook postrouting priority 110; policy accept;
    ct status dnat oifname . ip saddr @source4 masquerade
    ct status dnat oifname . ip6 saddr @source6 masquerade
    ct status dnat oifgroup ${LINK_GROUP} ip saddr 127.0.0.0/8 masquerade
  }
`;

/** What distinguishes the rules of this release from any other's: schema and a digest of the text. */
export const MARKER = `net-routed schema ${SCHEMA} ${createHash('sha256')
  .update(SETS + CHAINS)
  .digest('hex')
  .slice(0, 12)}`;

/** How many rules the chains have: fewer or more, and somebody has changed them. */
export const RULES = CHAINS.split('\n').filter((line) => /^ {4}(?!type )/.test(line)).length;

/**
 * The table without elements, as nft reads it. The marker is the comment of a set that holds nothing, because
 * nft's JSON tells comments of sets in every release, but those of tables only in newer ones.
 */
export function baseTable(): string {
  return `table ${TABLE} {
  comment "net-routed: made and owned by its daemon, changes are undone"
  set marker { type mark; comment "${MARKER}"; }${SETS}  counter spoofed { comment "packets dropped: not from an address of their container" }
  counter invalid { comment "packets dropped: of no connection, towards a guarded container" }
  counter refused { comment "packets refused: not permitted towards a guarded container" }${CHAINS}}
`;
}

/** Replaces whatever table there is by an empty one of this release, as part of a transaction. */
export function replaceTable(): string {
  return `table ${TABLE}\ndelete table ${TABLE}\n${baseTable()}`;
}
