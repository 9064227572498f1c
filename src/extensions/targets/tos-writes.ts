/** Fields that a change of the type of service, or of the traffic class, is seen in. */
export const TOS_WRITES: readonly string[] = ['ip.tos', 'bytes'];
