import { expect, it } from 'vitest';
import { keyPrologue, TRACE_ENTRIES, traceLayout } from '../../bench/classify-walk.ts';
import { emitLiveLookup } from '../../bench/live-walk.ts';
import { suite } from '../../test/support/suite.ts';
import { add, at, exit, jeq, lddw, ldx, mov, stx } from '../bpf/assembly.ts';
import { buildProgram } from '../bpf/builder.ts';
import { R0, R1, R2 } from '../bpf/instruction.ts';
import { buildClassifier } from '../classify/classifier.ts';
import { regionLayout } from '../classify/image.ts';
import type { LiveRule } from '../classify/live/change.ts';
import { createLiveRun } from '../classify/live/live-run.ts';
import { rowsBuilder } from '../classify/rows.ts';
import { encodeAttribute } from './bpf-syscall.ts';
import { type BpfMap, createMap } from './map.ts';
import { BPF_F_MMAPABLE, openMapMemory } from './map-memory.ts';
import { loadProgram } from './program.ts';
import { syscallAsync } from './syscall.ts';
import { testRun } from './test-run.ts';

const ARRAY = { type: 'array', keySize: 4, maxEntries: 1 } as const;
const PROG_TEST_RUN = 10;

function closeAll(closing: readonly { close(): void }[]): void {
  for (const one of closing) one.close();
}

suite('the value of a map as memory', ['root'], () => {
  it('is seen by system calls and programs at once, and outlives the mapping', () => {
    const map = createMap({ ...ARRAY, name: 'up_memory', valueSize: 10_000, flags: BPF_F_MMAPABLE });
    const memory = openMapMemory(map);
    const maps = new Map([['up_memory', map]]);
    const program = loadProgram(
      buildProgram('up_read', 'socket_filter', [lddw.mapValue(R1, 'up_memory', 0), ldx.w(R0, R1, 8), exit()]),
      maps,
    );
    try {
      memory.apply({ writes: [{ offset: 9_990, bytes: Uint8Array.of(1, 2, 3) }], commit: { offset: 8, value: 77 } });
      expect(map.readValue().subarray(9_988, 9_995)).toEqual(Uint8Array.of(0, 0, 1, 2, 3, 0, 0));
      expect(testRun(program, { data: new Uint8Array(64) }).retval).toBe(77);
      expect(() => memory.apply({ writes: [], commit: { offset: 10_000, value: 0 } })).toThrow(RangeError);
      expect(() => memory.apply({ writes: [], commit: { offset: 6, value: 0 } })).toThrow(RangeError);
      const beyond = { offset: 9_999, bytes: new Uint8Array(2) };
      expect(() => memory.apply({ writes: [beyond], commit: { offset: 8, value: 0 } })).toThrow(RangeError);
      memory.close();
      expect(testRun(program, { data: new Uint8Array(64) }).retval).toBe(77);
    } finally {
      closeAll([memory, program, map]);
    }
  });

  it('refuses maps that are not made for it', () => {
    const plain = createMap({ ...ARRAY, name: 'up_plain', valueSize: 64 });
    const hash = createMap({ name: 'up_hash', type: 'hash', keySize: 4, valueSize: 4, maxEntries: 1 });
    try {
      expect(() => openMapMemory(plain)).toThrow('mmap');
      expect(() => openMapMemory(hash)).toThrow(RangeError);
    } finally {
      closeAll([plain, hash]);
    }
  });

  it('a program that looks up while rules move never finds what lies behind them', async () => {
    const max = [0xffffffff, 0xffff];
    const any = (counter: number): LiveRule => ({
      boxes: [
        [
          [0, 0xffffffff],
          [0, 0xffff],
        ],
      ],
      final: true,
      counter,
      action: 0,
    });
    // Three shapes of the same rule for the key (1000, 80): in a hash or a tree's leaf, wide, and in two boxes.
    const shapes: readonly LiveRule['boxes'][] = [
      [
        [
          [1000, 1000],
          [0, 0xffff],
        ],
      ],
      [
        [
          [0, 5000],
          [80, 80],
        ],
      ],
      [
        [
          [0, 999],
          [0, 79],
        ],
        [
          [900, 2000],
          [0, 100],
        ],
      ],
    ];
    const rules: LiveRule[] = [
      { ...any(1), boxes: [shapes[0]![0]!] },
      ...Array.from({ length: 400 }, (_, i): LiveRule => {
        const at = i < 200 ? 3_000 + i : 10_000 + 7 * i;
        return { ...any(9), boxes: [[[at, at], i % 3 === 0 ? [i, i + 9] : [0, 0xffff]]] };
      }),
      any(2),
    ];
    const builder = rowsBuilder(max);
    rules.forEach((rule, entry) => {
      builder.add(entry, true);
      rule.boxes[0]!.forEach(([lo, hi], d) => {
        builder.narrow(d, lo, hi);
      });
    });
    const rows = builder.finish();
    for (const choice of ['trees', 'hashes'] as const) {
      const { parts, plan } = buildClassifier(rows, choice);
      const layout = regionLayout(rows.count + 300, 40_000);
      const limits = { levels: 24, leafSlots: 64 };
      const live = createLiveRun({
        rows,
        parts: parts.map((part, place) => ({ place, part })),
        spare: [parts.length],
        layout,
        limits,
        passesOver: true,
        guards: [],
        counter: (row) => rules[rows.entry[row]!]!.counter,
        action: () => 0,
      });
      const trace = traceLayout(rows.max);
      const keys = new Uint8Array(TRACE_ENTRIES * trace.stride);
      for (let i = 0; i < TRACE_ENTRIES; i++) {
        const view = new DataView(keys.buffer, i * trace.stride);
        view.setUint32(0, 1000, true);
        view.setUint16(4, 80, true);
      }
      const initial = new Uint8Array(live.region.buffer.slice(0));
      const specs = [
        { ...ARRAY, name: 'up_region', valueSize: layout.bytes, flags: BPF_F_MMAPABLE, initial },
        { ...ARRAY, name: 'cls_trace', valueSize: keys.length, initial: keys },
        { ...ARRAY, name: 'cls_index', valueSize: 8 },
        // u64 each: look-ups, and those that ended behind the rule.
        { ...ARRAY, name: 'up_seen', valueSize: 16 },
      ];
      const maps = new Map<string, BpfMap>(specs.map((spec) => [spec.name, createMap(spec)]));
      const program = loadProgram(
        watcher(live.places, { map: 'up_region', layout, plan, limits, trace, last: 401 }),
        maps,
      );
      const memory = openMapMemory(maps.get('up_region')!);
      try {
        const data = new Uint8Array(64);
        const run = encodeAttribute('PROG_TEST_RUN', {
          prog_fd: program.fd,
          data_size_in: data.length,
          data_in: data,
          repeat: 1_500_000,
        });
        let running = true;
        const done = syscallAsync('bpf', [PROG_TEST_RUN, run, run.length]).then(() => {
          running = false;
        });
        let changes = 0;
        let id = 0;
        while (running) {
          const boxes = shapes[changes % shapes.length]!;
          const rule: LiveRule = { ...any(1), boxes };
          const moved = changes % 2 === 0;
          const change = live.change(
            moved
              ? [
                  { kind: 'remove', id },
                  { kind: 'insert', rule, before: live.rules - 1 },
                ]
              : [{ kind: 'replace', id, rule }],
          );
          if (change.kind === 'full') {
            if (change.why !== 'waiting') throw new Error(change.why);
          } else {
            memory.apply(change);
            id = change.ids[0] ?? id;
            changes++;
          }
          // Look-ups take about 100 ns; other work of this machine may hold one up, so give it far longer.
          if (live.status().pending > 12) {
            await new Promise((resolve) => setTimeout(resolve, 20));
            live.release(Number.MAX_SAFE_INTEGER);
          } else await new Promise((resolve) => setImmediate(resolve));
        }
        await done;
        const seen = new DataView(maps.get('up_seen')!.readValue().buffer);
        expect(changes).toBeGreaterThan(10);
        expect(seen.getBigUint64(0, true)).toBeGreaterThan(1000n);
        expect(seen.getBigUint64(8, true)).toBe(0n);
      } finally {
        closeAll([memory, program, ...maps.values()]);
      }
    }
  });
});

interface Watched extends Omit<Parameters<typeof emitLiveLookup>[0], 'places'> {
  readonly trace: ReturnType<typeof traceLayout>;
  /** The row that must never be the answer. */
  readonly last: number;
}

/** Looks up, and counts the answers that nobody may ever see. */
function watcher(places: Parameters<typeof emitLiveLookup>[0]['places'], watched: Watched) {
  const { plan, trace, last } = watched;
  const count = [lddw.mapValue(R1, 'up_seen', 0), ldx.dw(R2, R1, 0), add.imm(R2, 1), stx.dw(R1, 0, R2)];
  return buildProgram('up_watch', 'socket_filter', [
    ...keyPrologue(plan, trace),
    ...emitLiveLookup({ ...watched, places }),
    ...count,
    jeq.imm(R0, last, 'wrong'),
    jeq.imm(R0, -1, 'wrong'),
    jeq.imm(R0, -2, 'wrong'),
    mov.imm(R0, 0),
    exit(),
    at('wrong'),
    ldx.dw(R2, R1, 8),
    add.imm(R2, 1),
    stx.dw(R1, 8, R2),
    mov.imm(R0, 1),
    exit(),
  ]);
}
