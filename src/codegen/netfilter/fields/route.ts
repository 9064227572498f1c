/** Type of the destination, as the route that the packet already has knows it. */

import { and, at, jeq, jne, mov } from '../../../bpf/assembly.ts';
import { R0, R1, R2, R3 } from '../../../bpf/instruction.ts';
import { castTo } from '../cast.ts';
import { type HookContext, loadMember, loadSkb } from '../context.ts';

/** SKB_DST_NOREF: the low bit of _skb_refdst. */
const NOREF = 1;
/** RTF_* (include/uapi/linux/ipv6_route.h) in the order in which xt_addrtype cares, with the RTN_* each stands for. */
const IPV6_TYPES = [
  { flag: 0x0200, type: 7, name: 'RTF_REJECT: RTN_UNREACHABLE' },
  { flag: 0x00100000, type: 4, name: 'RTF_ANYCAST: RTN_ANYCAST' },
  { flag: 0x80000000, type: 2, name: 'RTF_LOCAL: RTN_LOCAL' },
] as const;
const RTN_UNICAST = 1;

/** RTN_* of the destination, 0 without a route. */
export function loadDestinationType(ctx: HookContext): void {
  const { out } = ctx;
  const done = out.label('rtn');
  out.emit(loadSkb(ctx, R1), loadMember(ctx, R1, R1, 'sk_buff._skb_refdst'), and.imm(R1, ~NOREF));
  if (ctx.family === 'ipv4') {
    castTo(ctx, 'rtable');
    out.emit(loadMember(ctx, R1, R0, 'rtable.rt_type'));
    return;
  }
  out.emit(jeq.imm(R1, 0, done));
  castTo(ctx, 'rt6_info');
  out.emit(loadMember(ctx, R2, R0, 'rt6_info.rt6i_flags'));
  for (const { flag, type } of IPV6_TYPES) {
    out.emit(mov.imm(R1, type), mov.reg32(R3, R2), and.imm32(R3, flag), jne.imm32(R3, 0, done));
  }
  out.emit(mov.imm(R1, RTN_UNICAST), at(done));
}
