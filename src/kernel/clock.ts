/** The kernel's two clocks as BPF programs see them: jiffies and monotonic nanoseconds. */

import { call, exit, lddw, mov, stx } from '../bpf/assembly.ts';
import { buildProgram } from '../bpf/builder.ts';
import { R0, R1, R6 } from '../bpf/instruction.ts';
import { createMap } from './map.ts';
import { loadProgram } from './program.ts';
import { testRun } from './test-run.ts';

/** CONFIG_HZ of x86_64 and arm64 (kernel/Kconfig.hz), and what patched kernels add. */
const KNOWN_HZ = [100, 250, 300, 500, 600, 750, 1000] as const;

export interface ClockSample {
  /** bpf_jiffies64(): ticks since boot plus INITIAL_JIFFIES. */
  readonly jiffies: bigint;
  /** bpf_ktime_get_ns(): CLOCK_MONOTONIC. */
  readonly monotonicNs: bigint;
}

const HELPER = { ktimeGetNs: 5, jiffies64: 118 } as const;

const CLOCK_MAP = 'bf_clock';

const SAMPLER = buildProgram('bf_clock', 'socket_filter', [
  call.helper(HELPER.ktimeGetNs),
  mov.reg(R6, R0),
  call.helper(HELPER.jiffies64),
  lddw.mapValue(R1, CLOCK_MAP),
  stx.dw(R1, 0, R0),
  stx.dw(R1, 8, R6),
  mov.imm(R0, 0),
  exit(),
]);

/** Reads both clocks at once, as often as asked. Owns a map and a program. */
export interface ClockReader {
  read(): ClockSample;
  close(): void;
}

export function openClockReader(): ClockReader {
  const map = createMap({ name: CLOCK_MAP, type: 'array', keySize: 4, valueSize: 16, maxEntries: 1 });
  try {
    const program = loadProgram(SAMPLER, new Map([[map.name, map]]));
    // BPF_PROG_TEST_RUN of a socket filter wants at least an Ethernet header.
    const data = new Uint8Array(14);
    return {
      read() {
        testRun(program, { data });
        const value = map.readValue();
        const view = new DataView(value.buffer);
        return { jiffies: view.getBigUint64(0, true), monotonicNs: view.getBigUint64(8, true) };
      },
      close() {
        program.close();
        map.close();
      },
    };
  } catch (error) {
    map.close();
    throw error;
  }
}

/** Both clocks, now. */
export function readClocks(): ClockSample {
  const reader = openClockReader();
  try {
    return reader.read();
  } finally {
    reader.close();
  }
}

/** Ticks a second, from both clocks over about `milliseconds`, as the nearest value a kernel can be built with. */
export function measureHz(milliseconds = 200): number {
  const reader = openClockReader();
  try {
    const from = nextTick(reader);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
    const to = nextTick(reader);
    return nearestHz(Number(to.jiffies - from.jiffies) / (Number(to.monotonicNs - from.monotonicNs) / 1e9));
  } finally {
    reader.close();
  }
}

/** The clocks just after a tick, so that no part of one is counted as whole. */
function nextTick(reader: ClockReader): ClockSample {
  const start = reader.read();
  for (;;) {
    const sample = reader.read();
    if (sample.jiffies !== start.jiffies) return sample;
  }
}

/** The value of CONFIG_HZ that is nearest to a measured rate, in proportion. */
export function nearestHz(rate: number): number {
  const distance = (hz: number): number => Math.abs(Math.log(rate / hz));
  return KNOWN_HZ.reduce((best: number, hz) => (distance(hz) < distance(best) ? hz : best), KNOWN_HZ[0]);
}
