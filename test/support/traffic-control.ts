/** Programs of tc on a device, where it hands frames to the stack or sends them. */
import { call, exit, mov } from '../../src/bpf/assembly.ts';
import { buildProgram } from '../../src/bpf/builder.ts';
import type { CodeItem } from '../../src/bpf/code.ts';
import { R0, R2, R3 } from '../../src/bpf/instruction.ts';
import { bpf } from '../../src/kernel/bpf-syscall.ts';
import { linkFromFd } from '../../src/kernel/link.ts';
import { withNamespace } from '../../src/kernel/namespace.ts';
import { loadProgram } from '../../src/kernel/program.ts';
import { indexOfDevice } from '../../src/kernel/rtnetlink.ts';

/** enum bpf_attach_type */
const ATTACH = { ingress: 46, egress: 47 } as const;
const VLAN_PUSH = 18;
const [PASS, DROP] = [0, 2];
/** 802.1Q in network byte order. */
const TAG_TYPE = 0x0081;

export type TrafficControl = 'drop' | 'tag';

/** Drops what passes, or gives it the tag of VLAN 7, beside the frame; gone after close(). */
export function controlTraffic(
  namespace: string,
  device: string,
  side: keyof typeof ATTACH,
  what: TrafficControl,
): { close(): void } {
  const code: readonly CodeItem[] =
    what === 'drop'
      ? [mov.imm(R0, DROP), exit()]
      : [mov.imm(R2, TAG_TYPE), mov.imm(R3, 7), call.helper(VLAN_PUSH), mov.imm(R0, PASS), exit()];
  const program = loadProgram(buildProgram('control', 'sched_cls', code), new Map());
  try {
    const fd = withNamespace(namespace, () =>
      bpf('LINK_CREATE', { prog_fd: program.fd, target: indexOfDevice(device), attach_type: ATTACH[side] }),
    );
    return linkFromFd(fd);
  } finally {
    program.close();
  }
}
