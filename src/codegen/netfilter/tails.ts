/** How a program ends. Rules jump here with the byte offset of their counter in r1; all rules of one verdict share the code. */

import { add, at, call, exit, ja, mov } from '../../bpf/assembly.ts';
import type { CodeItem, Label } from '../../bpf/code.ts';
import { R0, R1, R7, R8, R10 } from '../../bpf/instruction.ts';
import { type HookContext, loadSkb } from './context.ts';
import { type Addition, addPacket } from './counters.ts';
import { endList, SPECIAL } from './effects.ts';
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
  /** Accepts without counting: the kernel's target has the last word. */
  readonly pass: Label;
  /** Drops a packet whose effect could not be recorded. */
  readonly lost: Label;
  /** Drops without counting, from before the rules. */
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
    pass: out.label('pass'),
    lost: out.label('lost'),
    abort: out.label('abort'),
  };
}

/**
 * Emits all tails; those that nothing jumps to are left out later. `loop`: the chain loop's iterator has to be ended.
 * `effects`: packets can have a list of effects, and then the kernel ends their traversal.
 */
export function emitTails(ctx: HookContext, tails: Tails, loop: boolean, effects: boolean): void {
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
  // r1 holds nothing here that the end of the loop would have to keep.
  const leaveLoop: readonly CodeItem[] = loop ? [mov.imm(R1, 0), ...endLoop] : [];
  const accepted = out.label('accepted');
  const drop = effects ? out.label('drop.list') : tails.abort;
  for (const addition of ADDITIONS) {
    const begin = (label: Label): void => {
      out.emit(at(label), ...endLoop, add.reg(COUNTERS, R1));
      addPacket(ctx, COUNTERS, 0, addition);
    };
    begin(tails.accept[addition]);
    out.emit(mov.imm(R0, NF_ACCEPT), exit());
    begin(tails.drop[addition]);
    if (effects) out.emit(ja(drop));
    else out.emit(mov.imm(R0, NF_DROP), exit());
    begin(tails.reject[addition]);
    out.emit(loadSkb(ctx, R7));
    if (effects) {
      const plain = out.label('reject.plain');
      out.emit(...endList(R7, SPECIAL.reject, R8, plain, tails.abort, accepted), at(plain));
    }
    out.emit(...insertPending(R7, R8, tails.abort), mov.imm(R0, NF_ACCEPT), exit());
  }
  if (effects || ctx.staged !== undefined)
    out.emit(at(tails.pass), ...leaveLoop, at(accepted), mov.imm(R0, NF_ACCEPT), exit());
  out.emit(at(tails.hotdrop), ...leaveLoop);
  if (effects) {
    out.emit(at(drop), loadSkb(ctx, R7), ...endList(R7, SPECIAL.drop, undefined, tails.abort, tails.abort, accepted));
    out.emit(at(tails.lost), ...leaveLoop);
  }
  out.emit(at(tails.abort), mov.imm(R0, NF_DROP), exit());
}
