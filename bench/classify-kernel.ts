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
  type TraceLayout,
  traceLayout,
} from './classify-walk.ts';

export interface KernelFigures {
  /** Net nanoseconds per look-up. */
  readonly min: number;
  readonly median: number;
  readonly loadMs: number;
}

/** The trace as the program reads it; `trace` has one u32 for each dimension of each header. */
export function traceBytes(trace: Uint32Array, layout: TraceLayout): Uint8Array {
  const out = new Uint8Array(TRACE_ENTRIES * layout.stride);
  const view = new DataView(out.buffer);
  const dimensions = layout.places.length;
  const headers = trace.length / dimensions;
  for (let i = 0; i < TRACE_ENTRIES; i++) {
    const from = mixed(i, headers) * dimensions;
    layout.places.forEach(({ offset, bytes }, d) => {
      const at = i * layout.stride + offset;
      if (bytes === 4) view.setUint32(at, trace[from + d]!, true);
      else if (bytes === 2) view.setUint16(at, trace[from + d]!, true);
      else view.setUint8(at, trace[from + d]!);
    });
  }
  return out;
}

/** A stride that is prime to nearly everything mixes headers that were written side by side. */
export function mixed(i: number, headers: number): number {
  return (i * 7919) % headers;
}

/** Looks the trace up in the kernel. Every answer of the first headers is compared with `lookup`. */
export function measureLookups(classifier: Classifier, trace: Uint32Array): KernelFigures {
  const array = { type: 'array', keySize: 4, maxEntries: 1 } as const;
  const layout = traceLayout(classifier.rows.max);
  const dimensions = layout.places.length;
  const { parts, words } = placeParts(classifier.parts);
  // A record of the last slot may be read beyond the end.
  const slots = new Uint8Array(words.byteLength + 1024);
  slots.set(new Uint8Array(words.buffer));
  const maps = new Map(
    [
      { ...array, name: SLOTS_MAP, valueSize: slots.byteLength, initial: slots },
      { ...array, name: TRACE_MAP, valueSize: TRACE_ENTRIES * layout.stride, initial: traceBytes(trace, layout) },
      { ...array, name: INDEX_MAP, valueSize: 8 },
    ].map((spec) => [spec.name, createMap(spec)]),
  );
  const prologue = keyPrologue(classifier.plan, layout);
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
    const headers = trace.length / dimensions;
    maps.get(INDEX_MAP)!.writeValue(new Uint8Array(8));
    for (let i = 0; i < 3000; i++) {
      const { retval } = once();
      const header = mixed(i, headers) * dimensions;
      const want = lookup(classifier, trace.subarray(header, header + dimensions));
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
