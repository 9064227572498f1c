/**
 * The virtual machine: runs linked programs instruction by instruction, with the results a little-endian 64-bit Linux
 * gives (RFC 9669 plus what Linux adds). What the verifier would refuse is a VmFault here as soon as it is executed.
 */

import { alu32, alu64, byteOrder } from './alu.ts';
import { runAtomic } from './atomics.ts';
import { holds32, holds64 } from './jump.ts';
import { describe, type VmProgram } from './link.ts';
import { loadMemory, storeMemory } from './load-store.ts';
import type { VmMap } from './maps.ts';
import { createMemory, joinHalves, type Memory, mapRegion, type Region, VmFault } from './memory.ts';

/** What a program can ask about the world; everything here is under the caller's control, so runs repeat. */
export interface VmEnvironment {
  /** bpf_jiffies64. */
  readonly jiffies: () => bigint;
  /** bpf_ktime_get_ns and its sisters. */
  readonly nanoseconds: () => bigint;
  /** bpf_get_prandom_u32: unsigned 32 bit. */
  readonly random: () => number;
  /** bpf_get_smp_processor_id. */
  readonly cpu: number;
}

/** A helper or kfunc: the five argument registers in, r0 out (any integer; its low 64 bits count). */
export type VmFunction = (machine: Machine, a: bigint, b: bigint, c: bigint, d: bigint, e: bigint) => bigint;

export interface Machine {
  readonly memory: Memory;
  readonly environment: VmEnvironment;
  /** Helpers by number (enum bpf_func_id). */
  readonly helpers: ReadonlyMap<number, VmFunction>;
  /** kfuncs; a linked call has the index here in its imm. */
  readonly kfuncs: readonly { readonly name: string; readonly run: VmFunction }[];
  /** Address of the running task's struct task_struct (bpf_get_current_task). */
  task: bigint;
  /** Maps by the upper half of their handle's address. */
  readonly maps: Map<number, VmMap>;
  /** Bytes of the packets that skb pointers stand for, from where `skb->data` points, whatever is linear of them. */
  readonly packets: Map<bigint, VmPacket>;
  /** What a load from an address that no region has does: 'zero' as BPF_PROBE_MEM, or 'fault'. */
  readonly unmapped: 'zero' | 'fault';
  /** Register r at words 2r (low half) and 2r + 1 (high half). */
  readonly regs: Int32Array;
  readonly stacks: Region[];
  depth: number;
  /** Instructions that may still run. */
  remaining: number;
  /** Set by bpf_tail_call: the program that takes over, and its context. */
  tailCall: { readonly program: VmProgram; readonly context: bigint } | undefined;
  tailCalls: number;
  /** The bpf_spin_lock that is held. One machine is one CPU: taking a second one is a fault. */
  heldLock: bigint | undefined;
  /** The program of the innermost activation, for helpers that call back. */
  current: VmProgram | undefined;
}

export interface VmPacket {
  readonly bytes: Uint8Array;
  /** Address of the linear part, and how many bytes of the packet lie in it. */
  readonly linear: bigint;
  readonly linearLength: number;
}

/** BPF_MAX_CALL_FRAMES and MAX_BPF_STACK of the kernel. */
const MAX_FRAMES = 8;
const STACK_SIZE = 512;
/** What scratch registers hold after a call: the verifier lets nobody read them. */
const CLOBBERED = 0xdeadbeef | 0;

export function createMachine(options: {
  readonly helpers: ReadonlyMap<number, VmFunction>;
  readonly kfuncs: readonly { readonly name: string; readonly run: VmFunction }[];
  readonly environment: VmEnvironment;
  readonly unmapped?: 'zero' | 'fault';
}): Machine {
  return {
    memory: createMemory(),
    environment: options.environment,
    helpers: options.helpers,
    kfuncs: options.kfuncs,
    task: 0n,
    maps: new Map(),
    packets: new Map(),
    unmapped: options.unmapped ?? 'fault',
    regs: new Int32Array(22),
    stacks: [],
    depth: 0,
    remaining: 0,
    tailCall: undefined,
    tailCalls: 0,
    heldLock: undefined,
    current: undefined,
  };
}

/**
 * Runs a program from its first instruction with `args` in r1 and on, at most `budget` instructions, and returns r0
 * (unsigned 64 bit). Throws VmFault.
 */
export function runProgram(machine: Machine, program: VmProgram, args: readonly bigint[], budget = 1_000_000): bigint {
  machine.remaining = budget;
  machine.depth = 0;
  machine.tailCalls = 0;
  machine.tailCall = undefined;
  return callFunction(machine, program, 0, args);
}

/** Calls the function at slot `start` of a program: how helpers such as bpf_loop call back. All registers survive. */
export function callFunction(machine: Machine, program: VmProgram, start: number, args: readonly bigint[]): bigint {
  const { regs } = machine;
  const saved = regs.slice();
  const outer = machine.current;
  regs.fill(CLOBBERED);
  args.forEach((value, index) => {
    setRegister(regs, index + 1, value);
  });
  enterFrame(machine);
  execute(machine, program, start);
  machine.depth--;
  const result = joinHalves(regs[0]!, regs[1]!);
  regs.set(saved);
  machine.current = outer;
  return result;
}

export function setRegister(regs: Int32Array, register: number, value: bigint): void {
  regs[2 * register] = Number(BigInt.asIntN(32, value));
  regs[2 * register + 1] = Number(BigInt.asIntN(32, value >> 32n));
}

export function getRegister(regs: Int32Array, register: number): bigint {
  return joinHalves(regs[2 * register]!, regs[2 * register + 1]!);
}

/** Gives the new innermost frame a stack of its own and points r10 behind it. */
function enterFrame(machine: Machine): void {
  if (machine.depth >= MAX_FRAMES) throw new VmFault(`more than ${MAX_FRAMES} frames deep`);
  let stack = machine.stacks[machine.depth];
  if (stack === undefined) {
    const name = `stack of frame ${machine.depth}`;
    stack = mapRegion(machine.memory, name, new Uint8Array(STACK_SIZE), { writable: true, strict: true });
    machine.stacks[machine.depth] = stack;
  }
  machine.depth++;
  setRegister(machine.regs, 10, stack.base + BigInt(STACK_SIZE));
}

interface Caller {
  readonly program: VmProgram;
  readonly pc: number;
  /** r6 to r10. */
  readonly saved: Int32Array;
}

/**
 * Runs until the activation that starts here exits; the result is in r0. Opcodes are
 * literals so that switches become jump tables, and nothing here is captured by a closure so that it stays in registers.
 */
function execute(machine: Machine, start: VmProgram, startPc: number): void {
  const { regs } = machine;
  const callers: Caller[] = [];
  let program = start;
  let { op, dst, src, off, imm } = program;
  let pc = startPc;
  let left = machine.remaining;
  machine.current = program;

  for (;;) {
    if (--left < 0) throw faultAt(program, pc, 'instruction budget used up');
    const code = op[pc];
    if (code === undefined) throw faultAt(program, pc, 'ran off the program');
    const d = dst[pc]! << 1;
    switch (code & 7) {
      case 7:
      case 4: {
        if (d >= 20) throw faultAt(program, pc, 'writes the frame pointer or no register');
        const operation = code >> 4;
        if (operation === 0xd) {
          const kind = (code & 7) === 7 ? 'swap' : (code & 8) !== 0 ? 'be' : 'le';
          if (code === 0xdf || !byteOrder(regs, kind, d, imm[pc]!)) throw faultAt(program, pc, 'no such instruction');
          break;
        }
        const reg = (code & 8) !== 0;
        const s = src[pc]! << 1;
        if (reg && s > 20) throw faultAt(program, pc, 'no such register');
        const slo = reg ? regs[s]! : imm[pc]!;
        if ((code & 7) === 7) {
          if (!alu64(regs, operation, d, slo, reg ? regs[s + 1]! : slo >> 31, off[pc]!, reg)) {
            throw faultAt(program, pc, 'no such instruction');
          }
        } else if (!alu32(regs, operation, d, slo, off[pc]!, reg)) throw faultAt(program, pc, 'no such instruction');
        break;
      }
      case 5:
      case 6: {
        const operation = code >> 4;
        if (operation === 0) {
          if ((code & 8) !== 0) throw faultAt(program, pc, 'no such instruction');
          pc += (code & 7) === 5 ? off[pc]! : imm[pc]!;
          break;
        }
        if (operation === 9) {
          if (code !== 0x95) throw faultAt(program, pc, 'no such instruction');
          const caller = callers.pop();
          if (caller === undefined) {
            machine.remaining = left;
            return;
          }
          machine.depth--;
          if (caller.program !== program) {
            program = caller.program;
            ({ op, dst, src, off, imm } = program);
            machine.current = program;
          }
          pc = caller.pc;
          regs.set(caller.saved, 12);
          regs.fill(CLOBBERED, 2, 12);
          break;
        }
        if (operation === 8) {
          if (code !== 0x85 && code !== 0x8d) throw faultAt(program, pc, 'no such instruction');
          if (code === 0x85 && src[pc] === 1) {
            callers.push({ program, pc, saved: regs.slice(12) });
            enterFrame(machine);
            pc += imm[pc]!;
            break;
          }
          machine.remaining = left;
          const number = code === 0x8d ? regs[d]! : imm[pc]!;
          const called =
            code === 0x85 && src[pc] === 2
              ? machine.kfuncs[number]?.run
              : code === 0x8d || src[pc] === 0
                ? machine.helpers.get(number)
                : undefined;
          if (called === undefined) throw faultAt(program, pc, `no function ${number}`);
          callOut(machine, called, program, pc);
          left = machine.remaining;
          if (machine.tailCall !== undefined) {
            program = machine.tailCall.program;
            ({ op, dst, src, off, imm } = program);
            machine.current = program;
            machine.tailCall = undefined;
            pc = -1;
          }
          break;
        }
        const reg = (code & 8) !== 0;
        const s = src[pc]! << 1;
        if (d > 20 || (reg && s > 20)) throw faultAt(program, pc, 'no such register');
        const slo = reg ? regs[s]! : imm[pc]!;
        const holds =
          (code & 7) === 5
            ? holds64(operation, regs[d]!, regs[d + 1]!, slo, reg ? regs[s + 1]! : slo >> 31)
            : holds32(operation, regs[d]!, slo);
        if (holds === undefined) throw faultAt(program, pc, 'no such instruction');
        if (holds) pc += off[pc]!;
        break;
      }
      case 1: {
        const s = src[pc]! << 1;
        if (d >= 20 || s > 20) throw faultAt(program, pc, 'no such register to load with');
        const problem = loadMemory(machine, code, d, s, off[pc]!);
        if (problem !== undefined) throw faultAt(program, pc, problem);
        break;
      }
      case 2: {
        if (d > 20) throw faultAt(program, pc, 'no such register');
        const problem = storeMemory(machine, code, d, off[pc]!, imm[pc]!, imm[pc]! >> 31);
        if (problem !== undefined) throw faultAt(program, pc, problem);
        break;
      }
      case 3: {
        const s = src[pc]! << 1;
        if (d > 20 || s > 20) throw faultAt(program, pc, 'no such register');
        const problem =
          code >> 5 === 6
            ? runAtomic(machine, code, d, s, off[pc]!, imm[pc]!)
            : storeMemory(machine, code, d, off[pc]!, regs[s]!, regs[s + 1]!);
        if (problem !== undefined) throw faultAt(program, pc, problem);
        break;
      }
      default: {
        // Class LD: only lddw; what maps and addresses it stands for is already filled in.
        if (code !== 0x18 || d >= 20 || op[pc + 1] !== 0) throw faultAt(program, pc, 'no such instruction');
        regs[d] = imm[pc]!;
        regs[d + 1] = imm[pc + 1]!;
        pc++;
      }
    }
    pc++;
  }
}

/** Calls a helper or kfunc; faults that it reports get the place added. */
function callOut(machine: Machine, called: VmFunction, program: VmProgram, pc: number): void {
  const { regs } = machine;
  const arg = (register: number): bigint => joinHalves(regs[2 * register]!, regs[2 * register + 1]!);
  let result: bigint;
  try {
    result = called(machine, arg(1), arg(2), arg(3), arg(4), arg(5));
  } catch (error) {
    throw error instanceof VmFault ? faultAt(program, pc, error.message) : error;
  }
  regs.fill(CLOBBERED, 2, 12);
  setRegister(regs, 0, result);
  if (machine.tailCall !== undefined) setRegister(regs, 1, machine.tailCall.context);
}

function faultAt(program: VmProgram, pc: number, what: string): VmFault {
  return new VmFault(`${program.name}: slot ${pc}: ${what}: ${describe(program, pc)}`);
}
