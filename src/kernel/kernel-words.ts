/** Reading words of the kernel's memory, through a program that the kernel runs for us once for each. */

import { add, at, call, exit, jne, lddw, ldx, mov, movStructId, stx } from '../bpf/assembly.ts';
import { buildProgram } from '../bpf/builder.ts';
import { R0, R1, R2, R6, R7 } from '../bpf/instruction.ts';
import { kernelBtf } from './btf.ts';
import { createMap } from './map.ts';
import { loadProgram } from './program.ts';
import { prepareTestRun } from './test-run.ts';

const MAP = 'bf_words';
/** A structure of 16 bytes without inner borders. */
const BYTES = 'in6_addr';
const XDP_PASS = 2;

/** Owns a map and a program. */
export interface KernelWords {
  /** Address of the calling thread's network namespace. */
  namespace(): bigint;
  /** The u64 at an address; 0 where nothing can be read. */
  word(address: bigint): bigint;
  /** Characters up to a zero byte, at most 32. */
  text(address: bigint): string;
  /** Where a member of a structure lies, whose own address is given. */
  place(address: bigint, struct: string, path: string): bigint;
  /** The number in a member of a structure that lies at an address. */
  member(address: bigint, struct: string, path: string): bigint;
  close(): void;
}

/** @throws SyscallError, Error when the kernel lacks a type. */
export function openKernelWords(): KernelWords {
  const btf = kernelBtf();
  const offset = (struct: string, path: string) => {
    const place = btf.member(struct, path);
    if (place === undefined) throw new Error(`this kernel has no ${struct}.${path}`);
    return place;
  };
  const map = createMap({ name: MAP, type: 'array', keySize: 4, valueSize: 16, maxEntries: 1 });
  const load = (from: number, place: number) => [
    mov.reg(R1, from),
    movStructId(R2, BYTES),
    call.kfunc('bpf_rdonly_cast'),
    ldx.dw(R1, R0, place),
  ];
  const step = (from: number, struct: string, path: string) => [
    mov.reg(R1, from),
    add.imm(R1, offset(struct, path).offset),
    ...load(R1, 0),
  ];
  const program = loadProgram(
    buildProgram('bf_words', 'xdp', [
      mov.reg(R6, R1),
      lddw.mapValue(R7, MAP),
      ldx.dw(R1, R7, 0),
      jne.imm(R1, 0, 'word'),
      // The device that a test run pretends is the namespace's lo.
      mov.reg(R1, R6),
      call.kfunc('bpf_cast_to_kern_ctx'),
      ...[...step(R0, 'xdp_buff', 'rxq'), ...step(R1, 'xdp_rxq_info', 'dev')],
      ...step(R1, 'net_device', 'nd_net'),
      stx.dw(R7, 8, R1),
      mov.imm(R0, XDP_PASS),
      exit(),
      at('word'),
      ...load(R1, 0),
      stx.dw(R7, 8, R1),
      mov.imm(R0, XDP_PASS),
      exit(),
    ]),
    new Map([[MAP, map]]),
  );
  const run = prepareTestRun(program, { data: new Uint8Array(64) });
  const value = Buffer.alloc(16);
  const ask = (address: bigint): bigint => {
    value.writeBigUInt64LE(address, 0);
    map.writeValue(value);
    run();
    return Buffer.from(map.readValue()).readBigUInt64LE(8);
  };
  return {
    namespace: () => ask(0n),
    word: (address) => (address === 0n ? 0n : ask(address)),
    text(address) {
      const bytes = Buffer.alloc(32);
      for (let place = 0; place < 32; place += 8) {
        bytes.writeBigUInt64LE(address === 0n ? 0n : ask(address + BigInt(place)), place);
        if (bytes.subarray(place, place + 8).includes(0)) break;
      }
      return bytes.toString('latin1', 0, bytes.indexOf(0) === -1 ? 32 : bytes.indexOf(0));
    },
    place: (address, struct, path) => address + BigInt(offset(struct, path).offset),
    member(address, struct, path) {
      const place = offset(struct, path);
      if (address === 0n) return 0n;
      return BigInt.asUintN(place.size * 8, ask(address + BigInt(place.offset)));
    },
    close() {
      program.close();
      map.close();
    },
  };
}
