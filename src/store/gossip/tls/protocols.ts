/** What is spoken on a connection (RFC 7301): gossip among members, or joining. */
export const GOSSIP = 'net-routed/1';
export const JOINING = 'net-routed-join/1';
