/** Look-ups in the kernel (BPF_PROG_TEST_RUN) with headers that do not repeat: net of a program that only takes the header. */
import { exit, mov } from '../src/bpf/assembly.ts';
import { buildProgram } from '../src/bpf/builder.ts';
import { R0 } from '../src/bpf/instruction.ts';
import { type Classifier, lookup } from '../src/classify/classifier.ts';
import { createMap } from '../src/kernel/map.ts';
import { loadProgram } from '../src/kernel/program.ts';
import { prepareTestRun } from '../src/kernel/test-run.ts';
import {
  emitClassifier,
  INDEX_MAP,
  keyPrologue,
  placeParts,
  SLOTS_MAP,
  TRACE_ENTRIES,
  TRACE_MAP,
} from './classify-walk.ts';

export interface KernelFigures {
  /** Net nanoseconds per look-up. */
  readonly min: number;
  readonly median: number;
  readonly loadMs: number;
}

/** The trace as the program reads it: 16 bytes for each header. */
export function traceBytes(trace: Uint32Array): Uint8Array {
  const out = new Uint8Array(TRACE_ENTRIES * 16);
  const view = new DataView(out.buffer);
  const headers = trace.length / 5;
  // A stride that is prime to everything mixes headers that were written side by side.
  for (let i = 0; i < TRACE_ENTRIES; i++) {
    const from = ((i * 7919) % headers) * 5;
    view.setUint32(i * 16, trace[from]!, true);
    view.setUint32(i * 16 + 4, trace[from + 1]!, true);
    view.setUint16(i * 16 + 8, trace[from + 2]!, true);
    view.setUint16(i * 16 + 10, trace[from + 3]!, true);
    view.setUint8(i * 16 + 12, trace[from + 4]!);
  }
  return out;
}

/** Looks the trace up in the kernel. Every answer of the first headers is compared with `lookup`. */
export function measureLookups(classifier: Classifier, trace: Uint32Array): KernelFigures {
  const array = { type: 'array', keySize: 4, maxEntries: 1 } as const;
  const { parts, words } = placeParts(classifier.parts);
  // A record of the last slot may be read beyond the end.
  const slots = new Uint8Array(words.byteLength + 1024);
  slots.set(new Uint8Array(words.buffer));
  const maps = new Map(
    [
      { ...array, name: SLOTS_MAP, valueSize: slots.byteLength, initial: slots },
      { ...array, name: TRACE_MAP, valueSize: TRACE_ENTRIES * 16, initial: traceBytes(trace) },
      { ...array, name: INDEX_MAP, valueSize: 8 },
    ].map((spec) => [spec.name, createMap(spec)]),
  );
  const prologue = keyPrologue(classifier.plan);
  const start = performance.now();
  const walk = loadProgram(
    buildProgram('cls_walk', 'socket_filter', [
      ...prologue,
      ...emitClassifier(classifier.plan, parts, classifier.rows.count),
    ]),
    maps,
  );
  const loadMs = performance.now() - start;
  const empty = loadProgram(buildProgram('cls_empty', 'socket_filter', [...prologue, mov.imm(R0, 0), exit()]), maps);
  try {
    const data = new Uint8Array(64);
    const once = prepareTestRun(walk, { data });
    const headers = trace.length / 5;
    maps.get(INDEX_MAP)!.writeValue(new Uint8Array(8));
    for (let i = 0; i < 3000; i++) {
      const { retval } = once();
      const header = ((i * 7919) % headers) * 5;
      const want = lookup(classifier, trace.subarray(header, header + 5));
      if (retval !== (want < 0 ? classifier.rows.count : want))
        throw new Error(`header ${i}: row ${retval}, expected ${want}`);
    }
    const repeat = TRACE_ENTRIES;
    const runWalk = prepareTestRun(walk, { data, repeat });
    const runEmpty = prepareTestRun(empty, { data, repeat });
    const times: number[] = [];
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 15; i++) {
      least = Math.min(least, runEmpty().durationNs);
      times.push(runWalk().durationNs);
    }
    times.sort((a, b) => a - b);
    return { min: times[0]! - least, median: times[times.length >> 1]! - least, loadMs };
  } finally {
    walk.close();
    empty.close();
    for (const map of maps.values()) map.close();
  }
}
