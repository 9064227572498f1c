/** An XDP program of somebody else on a device. */
import { exit, mov } from '../../src/bpf/assembly.ts';
import { buildProgram } from '../../src/bpf/builder.ts';
import { R0 } from '../../src/bpf/instruction.ts';
import { withNamespace } from '../../src/kernel/namespace.ts';
import { loadProgram } from '../../src/kernel/program.ts';
import { indexOfDevice } from '../../src/kernel/rtnetlink.ts';
import { attachXdp } from '../../src/kernel/xdp-link.ts';

const XDP_PASS = 2;

/** Lets every frame pass; gone after close(). */
export function earlyForeign(namespace: string, device: string): { close(): void } {
  const program = loadProgram(buildProgram('foreign', 'xdp', [mov.imm(R0, XDP_PASS), exit()]), new Map());
  const attached = withNamespace(namespace, () => attachXdp(program, indexOfDevice(device)));
  program.close();
  if ('refusal' in attached) throw attached.cause;
  return { close: () => attached.link.close() };
}
