/**
 * The seccomp program that hands the table calls of ip_tables and ip6_tables to a supervisor, as classic BPF over `struct seccomp_data`
 * (include/uapi/linux/seccomp.h). Everything else goes on at once: a call that is no socket option of these numbers costs a few
 * instructions, and calls of another architecture (32-bit programs, x32) are let through.
 */

import { SYSCALL_NUMBERS } from './syscall.ts';

type Architecture = 'x64' | 'arm64';

/** AUDIT_ARCH_* (include/uapi/linux/audit.h). */
const AUDIT_ARCH = { x64: 0xc000_003e, arm64: 0xc000_00b7 } as const satisfies Record<Architecture, number>;
/** Where `struct seccomp_data` has its members; of an argument the low half. */
const AT = { number: 0, architecture: 4, level: 24, option: 32 } as const;
const SECCOMP_RET = { ALLOW: 0x7fff_0000, USER_NOTIF: 0x7fc0_0000 } as const;
/** BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K. */
const CODE = { load: 0x20, equal: 0x15, give: 0x06 } as const;

/** SOL_IP, SOL_IPV6, and the options that read or change tables: REPLACE and GET_INFO, ADD_COUNTERS and GET_ENTRIES. */
const LEVELS = [0, 41] as const;
const OPTIONS = [64, 65] as const;

interface Instruction {
  readonly code: number;
  /** Steps over the next one when the test is true, when it is false. */
  readonly yes: number;
  readonly no: number;
  readonly k: number;
}

/** The program as `struct sock_filter[]`. Questions about revisions of extensions are the kernel's business and not trapped. */
export function tableCallFilter(architecture: Architecture): Uint8Array {
  const numbers = [SYSCALL_NUMBERS.setsockopt[architecture], SYSCALL_NUMBERS.getsockopt[architecture]];
  const tests = [
    { at: AT.architecture, of: [AUDIT_ARCH[architecture]] },
    { at: AT.number, of: numbers },
    { at: AT.level, of: LEVELS },
    { at: AT.option, of: OPTIONS },
  ];
  const length = tests.reduce((sum, { of }) => sum + 1 + of.length, 0);
  const program: Instruction[] = [];
  for (const { at, of } of tests) {
    program.push({ code: CODE.load, yes: 0, no: 0, k: at });
    for (const [index, k] of of.entries()) {
      const last = index === of.length - 1;
      // The last instruction but one of the whole program allows.
      const no = last ? length - program.length - 1 : 0;
      program.push({ code: CODE.equal, yes: of.length - index - 1, no, k });
    }
  }
  program.push({ code: CODE.give, yes: 0, no: 0, k: SECCOMP_RET.ALLOW });
  program.push({ code: CODE.give, yes: 0, no: 0, k: SECCOMP_RET.USER_NOTIF });
  // The test of the options is the only one that may go on to the end.
  const end = program[length - 1]!;
  const first = program[length - 2]!;
  program[length - 1] = { ...end, yes: 1 };
  program[length - 2] = { ...first, yes: 2 };
  return encode(program);
}

function encode(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(8 * program.length);
  const view = new DataView(bytes.buffer);
  for (const [index, { code, yes, no, k }] of program.entries()) {
    view.setUint16(8 * index, code, true);
    view.setUint8(8 * index + 2, yes);
    view.setUint8(8 * index + 3, no);
    view.setUint32(8 * index + 4, k >>> 0, true);
  }
  return bytes;
}
