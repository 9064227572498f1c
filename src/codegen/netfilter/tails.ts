/** How a program ends. Rules jump here with the byte offset of their counter in r1; all rules of one verdict share the code. */

import { add, at, call, exit, mov } from '../../bpf/assembly.ts';
import type { CodeItem, Label } from '../../bpf/code.ts';
import { R0, R1, R7, R8, R10 } from '../../bpf/instruction.ts';
import { type HookContext, loadSkb } from './context.ts';
import { type Addition, addPacket } from './counters.ts';
import { COUNTERS, NF_ACCEPT, NF_DROP, STACK } from './layout.ts';
import { insertPending } from './pending.ts';

/** One verdict, for either kind of counter. */
export type CountingTails = Readonly<Record<Addition, Label>>;

export interface Tails {
  readonly accept: CountingTails;
  readonly drop: CountingTails;
  /** With the value for the map of pending packets in r8. */
  readonly reject: CountingTails;
  /** Drops without counting. */
  readonly hotdrop: Label;
  /** The same, from before the rules. */
  readonly abort: Label;
}

const ADDITIONS = ['plain', 'atomic'] as const;

export function createTails(ctx: HookContext): Tails {
  const { out } = ctx;
  const counting = (hint: string): CountingTails => ({ plain: out.label(hint), atomic: out.label(`${hint}.atomic`) });
  return {
    accept: counting('accept'),
    drop: counting('drop'),
    reject: counting('reject'),
    hotdrop: out.label('hotdrop'),
    abort: out.label('abort'),
  };
}

/** Emits all tails; those that nothing jumps to are left out later. `loop`: the chain loop's iterator has to be ended. */
export function emitTails(ctx: HookContext, tails: Tails, loop: boolean): void {
  const { out } = ctx;
  const endLoop: readonly CodeItem[] = loop
    ? [
        mov.reg(R7, R1),
        mov.reg(R1, R10),
        add.imm(R1, STACK.iterator),
        call.kfunc('bpf_iter_num_destroy'),
        mov.reg(R1, R7),
      ]
    : [];
  for (const addition of ADDITIONS) {
    const begin = (label: Label): void => {
      out.emit(at(label), ...endLoop, add.reg(COUNTERS, R1));
      addPacket(ctx, COUNTERS, 0, addition);
    };
    begin(tails.accept[addition]);
    out.emit(mov.imm(R0, NF_ACCEPT), exit());
    begin(tails.drop[addition]);
    out.emit(mov.imm(R0, NF_DROP), exit());
    begin(tails.reject[addition]);
    out.emit(loadSkb(ctx, R7), ...insertPending(R7, R8, tails.abort), mov.imm(R0, NF_ACCEPT), exit());
  }
  out.emit(
    at(tails.hotdrop),
    // r1 holds nothing here that the end of the loop would have to keep.
    ...(loop ? [mov.imm(R1, 0)] : []),
    ...endLoop,
    at(tails.abort),
    mov.imm(R0, NF_DROP),
    exit(),
  );
}
