import { readFileSync } from 'node:fs';

/** Capability numbers (include/uapi/linux/capability.h) that some part of bpfilter needs. */
export const CAPABILITIES = {
  CAP_NET_ADMIN: 12,
  CAP_SYS_ADMIN: 21,
  CAP_PERFMON: 38,
  CAP_BPF: 39,
} as const;
export type CapabilityName = keyof typeof CAPABILITIES;

/** Those of CAPABILITIES that are missing in a `CapEff` value. CAP_SYS_ADMIN stands in for CAP_BPF and CAP_PERFMON. */
export function missingCapabilities(effective: bigint): readonly CapabilityName[] {
  const has = (name: CapabilityName): boolean => ((effective >> BigInt(CAPABILITIES[name])) & 1n) === 1n;
  return (Object.keys(CAPABILITIES) as CapabilityName[]).filter(
    (name) => !has(name) && !((name === 'CAP_BPF' || name === 'CAP_PERFMON') && has('CAP_SYS_ADMIN')),
  );
}

/** The calling thread's effective capabilities, one bit each. */
export function effectiveCapabilities(): bigint {
  const line = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/thread-self/status', 'latin1'));
  if (line === null) throw new Error('/proc/thread-self/status does not say CapEff');
  return BigInt(`0x${line[1]}`);
}
