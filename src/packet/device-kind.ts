/** Where on a device a program can hang. */

/** `xdp`: frames as the driver receives them; `tc-ingress`: packets on their way in; `tc-egress`: on their way out. */
export const DEVICE_KINDS = ['xdp', 'tc-ingress', 'tc-egress'] as const;
export type DeviceKind = (typeof DEVICE_KINDS)[number];
