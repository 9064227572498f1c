/** Hanging the programs that stay (stubs and guards) on their hooks. */

import type { ProgramSpec } from '../bpf/program.ts';
import { attachNetfilter, type BpfLink, PriorityTakenError } from '../kernel/link.ts';
import { pin } from '../kernel/object.ts';
import { type BpfProgram, loadProgram } from '../kernel/program.ts';
import { TABLE_HOOKS } from '../packet/netfilter.ts';
import { FirewallError } from './failure.ts';
import { type HookPoint, pointName } from './layout.ts';
import type { PersistentMaps } from './store.ts';

/** How far from the table's priority a free one is looked for: still on the right side of every neighbouring table. */
const REACH = 32;

/** Loads a program, attaches it at the nearest free priority before or behind the point's table, at least `distance` from it, and pins the link. */
export function attachAndPin(
  spec: ProgramSpec,
  maps: PersistentMaps,
  point: HookPoint,
  side: 'before' | 'behind',
  path: string,
  distance = 1,
): void {
  const program = loadProgram(spec, maps.byName);
  try {
    const link = attachNear(program, point, side === 'before' ? -1 : 1, distance);
    try {
      pin(link.fd, path);
    } finally {
      link.close();
    }
  } finally {
    program.close();
  }
}

/** The kernel refuses a priority that any other hook there has (nf_bpf_link.c), so neighbours are tried. */
function attachNear(program: BpfProgram, point: HookPoint, direction: 1 | -1, nearest: number): BpfLink {
  const { priority } = TABLE_HOOKS[point.table];
  for (let distance = nearest; distance < nearest + REACH; distance++) {
    try {
      return attachNetfilter(program, {
        family: point.family,
        hook: point.hook,
        priority: priority + direction * distance,
      });
    } catch (error) {
      if (!(error instanceof PriorityTakenError)) throw error;
    }
  }
  throw new FirewallError(
    'failed',
    `${pointName(point)}: all ${REACH} priorities next to ${priority} are taken by other programs`,
  );
}
