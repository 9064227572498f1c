/**
 * The clock on the wall. BPF has no helper for it, but every CPU keeps how far CLOCK_REALTIME is ahead of the monotonic clock (struct
 * hrtimer_cpu_base), and the kernel brings that up to date on all CPUs that run when the clock is set. With the monotonic clock
 * that gives the second; ktime_get_real_seconds, which iptables asks, comes to it with the next timer tick, a few milliseconds later.
 * The way there: the running task, its CPU's run queue, a timer of that. The time is read once for each packet and hook, so all rules
 * see the same.
 */

import { add, call, div, ldx, mod, mov, mul, rsh, st, stx, sub } from '../../../bpf/assembly.ts';
import type { EnvironmentMember } from '../../../bpf/environment-members.ts';
import { R0, R1, R2, R3, R4, R10 } from '../../../bpf/instruction.ts';
import { enumeratorOf, type HookContext, memberPlace } from '../context.ts';
import { HELPER, STACK } from '../layout.ts';
import { followPointer } from './address.ts';

const NANOSECONDS = 1_000_000_000;
const SECONDS_PER_DAY = 86_400;
/** HRTIMER_MAX_CLOCK_BASES of struct hrtimer_cpu_base. */
const CLOCK_BASES = 8;

/** Place of the realtime clock's offset in struct hrtimer_cpu_base. */
export function realtimeOffset(ctx: Pick<HookContext, 'facts'>): number {
  const bases = memberPlace(ctx.facts, 'hrtimer_cpu_base.clock_base');
  const index = enumeratorOf(ctx.facts, 'hrtimer_base_type.HRTIMER_BASE_REALTIME');
  return bases.offset + index * (bases.size / CLOCK_BASES) + memberPlace(ctx.facts, 'hrtimer_clock_base.offset').offset;
}

/** From a task to the struct hrtimer_cpu_base of its CPU. */
export const WAY_TO_CLOCK = [
  'task_struct.se.cfs_rq',
  'cfs_rq.rq',
  'rq.hrtick_timer.base',
  'hrtimer_clock_base.cpu_base',
] as const satisfies readonly EnvironmentMember[];

/** Puts the time into its cell; the prologue does it when a rule asks. */
export function prepareClock(ctx: HookContext): void {
  ctx.out.emit(call.helper(HELPER.currentTask), mov.reg(R1, R0));
  for (const member of WAY_TO_CLOCK) followPointer(ctx, memberPlace(ctx.facts, member).offset);
  followPointer(ctx, realtimeOffset(ctx));
  ctx.out.emit(
    stx.dw(R10, STACK.key, R1),
    call.helper(HELPER.ktime),
    ldx.dw(R1, R10, STACK.key),
    add.reg(R1, R0),
    div.imm(R1, NANOSECONDS),
    stx.w(R10, STACK.clock, R1),
    st.w(R10, STACK.transportOffset, 0),
    st.dw(R10, STACK.key, 0),
  );
}

export function loadSeconds(ctx: HookContext): void {
  ctx.used.add('clock');
  ctx.out.emit(ldx.w(R1, R10, STACK.clock));
}

export function loadDaytime(ctx: HookContext): void {
  loadSeconds(ctx);
  ctx.out.emit(mod.imm32(R1, SECONDS_PER_DAY));
}

/** r1 = days since 1970, or of the time a day earlier. */
function loadDays(ctx: HookContext, before: boolean): void {
  loadSeconds(ctx);
  if (before) ctx.out.emit(sub.imm32(R1, SECONDS_PER_DAY));
  ctx.out.emit(div.imm32(R1, SECONDS_PER_DAY));
}

/** 1 Monday ... 7 Sunday; 1970 began with a Thursday. */
export function loadWeekday(before: boolean): (ctx: HookContext) => void {
  return (ctx) => {
    loadDays(ctx, before);
    ctx.out.emit(add.imm32(R1, 3), mod.imm32(R1, 7), add.imm32(R1, 1));
  };
}

/** Days from 1 March 0000 to 1970, and of 400, 100, 4 and 1 years. */
const [EPOCH, DAYS_400, DAYS_100, DAYS_4, DAYS_1] = [719_468, 146_097, 36_524, 1460, 365];

/**
 * The day of the month, in whole numbers: years counted from March, so that the day that leap years add comes last. From that day on months
 * have 153 days for every five.
 */
export function loadMonthday(before: boolean): (ctx: HookContext) => void {
  return (ctx) => {
    loadDays(ctx, before);
    ctx.out.emit(
      // r1: day of its 400 years; r2: year of them, from a day count without the leap days
      add.imm32(R1, EPOCH),
      mod.imm32(R1, DAYS_400),
      mov.reg32(R2, R1),
      mov.reg32(R3, R1),
      div.imm32(R3, DAYS_4),
      sub.reg32(R2, R3),
      mov.reg32(R3, R1),
      div.imm32(R3, DAYS_100),
      add.reg32(R2, R3),
      mov.reg32(R3, R1),
      div.imm32(R3, DAYS_400 - 1),
      sub.reg32(R2, R3),
      div.imm32(R2, DAYS_1),
      // r1: day of that year
      mov.reg32(R3, R2),
      mul.imm32(R3, DAYS_1),
      sub.reg32(R1, R3),
      mov.reg32(R3, R2),
      rsh.imm32(R3, 2),
      sub.reg32(R1, R3),
      div.imm32(R2, 100),
      add.reg32(R1, R2),
      // r2: month from March on; r1: day of it
      mov.reg32(R2, R1),
      mul.imm32(R2, 5),
      add.imm32(R2, 2),
      div.imm32(R2, 153),
      mov.reg32(R4, R2),
      mul.imm32(R4, 153),
      add.imm32(R4, 2),
      div.imm32(R4, 5),
      sub.reg32(R1, R4),
      add.imm32(R1, 1),
    );
  };
}
