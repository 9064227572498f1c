import { afterAll, beforeAll, expect, it } from 'vitest';
import { suite } from '../../test/support/suite.ts';
import { add, at, call, exit, jeq, lddw, ldx, mov, stx } from '../bpf/assembly.ts';
import { buildProgram } from '../bpf/builder.ts';
import { type BpfMap, createMap } from './map.ts';
import { type BpfProgram, loadProgram } from './program.ts';
import { openRingBuffer, type RingBuffer } from './ring-buffer.ts';
import { testRun } from './test-run.ts';

const HELPER = { ringbufReserve: 131, ringbufSubmit: 132, ringbufDiscard: 133, ringbufOutput: 130 } as const;
const SIZE = 4096;

/** Reserves 12 bytes, writes the packet's length into them, and submits them, or discards them when the length is even. */
const WRITER = buildProgram('bfk_writer', 'socket_filter', [
  ldx.w(7, 1, 0),
  lddw.map(1, 'ring'),
  mov.imm(2, 12),
  mov.imm(3, 0),
  call.helper(HELPER.ringbufReserve),
  jeq.imm(0, 0, 'full'),
  stx.dw(0, 0, 7),
  mov.reg(1, 0),
  mov.imm(2, 0),
  { kind: 'insn', insn: { opcode: 0x57, dst: 7, src: 0, offset: 0, imm: 1 } },
  jeq.imm(7, 0, 'discard'),
  call.helper(HELPER.ringbufSubmit),
  mov.imm(0, 1),
  exit(),
  at('discard'),
  call.helper(HELPER.ringbufDiscard),
  mov.imm(0, 2),
  exit(),
  at('full'),
  mov.imm(0, 0),
  add.imm(0, 0),
  exit(),
]);

suite('the ring buffer', ['root', 'btf'], () => {
  let map: BpfMap;
  let program: BpfProgram;
  let ring: RingBuffer;

  beforeAll(() => {
    map = createMap({ name: 'ring', type: 'ringbuf', keySize: 0, valueSize: 0, maxEntries: SIZE });
    program = loadProgram(WRITER, new Map([['ring', map]]));
    ring = openRingBuffer(map);
  });
  afterAll(() => {
    ring?.close();
    ring?.close();
    program?.close();
    map?.close();
  });

  /** `length` bytes of which the program sees all but the Ethernet header. */
  const write = (length: number): number => testRun(program, { data: new Uint8Array(length + 14) }).retval;
  const lengths = (records: readonly Uint8Array[]): number[] =>
    records.map((record) => {
      expect(record.length).toBe(12);
      return new DataView(record.buffer).getUint32(0, true);
    });

  it('gives records in order, without those that were discarded', () => {
    expect([1, 2, 3, 4, 5].map(write)).toEqual([1, 2, 1, 2, 1]);
    expect(lengths(ring.poll(0))).toEqual([1, 3, 5]);
    expect(ring.poll(0)).toEqual([]);
  });

  it('goes round many times', () => {
    const sent: number[] = [];
    const got: number[] = [];
    for (let i = 0; i < 2_000; i++) {
      const length = 1 + 2 * (i % 40);
      expect(write(length)).toBe(1);
      sent.push(length);
      if (i % 37 === 0) got.push(...lengths(ring.poll(0)));
    }
    got.push(...lengths(ring.poll(0)));
    expect(got).toEqual(sent);
  });

  it('is full when nobody reads, and has all that fitted', () => {
    let written = 0;
    while (write(1) === 1) written++;
    expect(written).toBe(Math.floor(SIZE / 24));
    expect(ring.poll(0)).toHaveLength(written);
    expect(write(1)).toBe(1);
    expect(ring.poll(0)).toHaveLength(1);
  });

  it('waits no longer than asked', () => {
    const started = performance.now();
    expect(ring.poll(30)).toEqual([]);
    expect(performance.now() - started).toBeGreaterThanOrEqual(29);
  });

  it('wakes who waits on the side', async () => {
    const started = performance.now();
    const records = ring.wait(10_000);
    setTimeout(() => write(7), 20);
    expect(lengths(await records)).toEqual([7]);
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  it('takes no other map', () => {
    const other = createMap({ name: 'bfk_other', type: 'array', keySize: 4, valueSize: 8, maxEntries: 1 });
    expect(() => openRingBuffer(other)).toThrow('is no ring buffer');
    other.close();
  });
});
