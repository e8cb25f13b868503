/**
 * Link group that our links are moved to for being deleted together: deleting one veth waits for an RCU grace
 * period of some 17 ms, deleting a group waits once. A number that nobody else will have chosen ("nr", and ours).
 */
export const SCRATCH_GROUP = 0x6e72_009e;
