/** What is spoken on a connection (RFC 7301): gossip among members, joining, or coming back. */
export const GOSSIP = 'net-routed/1';
export const JOINING = 'net-routed-join/1';
export const RETURNING = 'net-routed-return/1';
