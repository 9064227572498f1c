import { expect, it } from 'vitest';
import { withLoaded } from '../../../test/support/loaded-generation.ts';
import { suite } from '../../../test/support/suite.ts';
import type { ProgramSpec } from '../../bpf/program.ts';
import type { BpfMap } from '../../kernel/map.ts';
import { loadProgram, setProgramSlot } from '../../kernel/program.ts';
import { netfilterInput, testRun } from '../../kernel/test-run.ts';
import type { CompiledGeneration } from '../compiled.ts';
import { bridgeAnyProgram, bridgeClassProgram } from './bridge.ts';
import { acceptProgram, guardProgram, STUB_MAPS, stubProgram } from './stub.ts';

const NOTHING: CompiledGeneration = {
  hooks: [],
  maps: [],
  counters: [],
  counterStride: 64,
  named: [],
  needs: { conntrack: [], log: false },
};
const PACKET = Uint8Array.from({ length: 40 }, (_, i) => (i === 0 ? 0x45 : 0));
const SLOT = 3;

type Maps = ReadonlyMap<string, BpfMap>;

/** Loads a program, runs it once on OUTPUT and returns the verdict. */
function verdictOf(spec: ProgramSpec, maps: Maps): number {
  const program = loadProgram(spec, maps);
  try {
    return testRun(program, netfilterInput('ipv4', 'OUTPUT', PACKET)).retval;
  } finally {
    program.close();
  }
}

function setGeneration(maps: Maps, generation: bigint): void {
  const word = new Uint8Array(8);
  new DataView(word.buffer).setBigUint64(0, generation, true);
  maps.get(STUB_MAPS.generation)!.writeValue(word);
}

suite('programs around a generation', ['root', 'btf'], () => {
  it('accept before the first generation, and drop when its program is missing', () => {
    withLoaded(NOTHING, ({ maps }) => {
      expect(verdictOf(stubProgram(SLOT), maps)).toBe(1);
      setGeneration(maps, 1n);
      expect(verdictOf(stubProgram(SLOT), maps)).toBe(0);
    });
  });

  it('go into the half of the program array that is in force', () => {
    withLoaded(NOTHING, ({ maps }) => {
      const accept = loadProgram(acceptProgram(), maps);
      try {
        setProgramSlot(maps.get(STUB_MAPS.programs)!, SLOT * 2 + 1, accept);
        setGeneration(maps, 7n);
        expect(verdictOf(stubProgram(SLOT), maps)).toBe(1);
        setGeneration(maps, 8n);
        expect(verdictOf(stubProgram(SLOT), maps)).toBe(0);
      } finally {
        accept.close();
      }
    });
  });

  it('let a packet pass the guard that nobody waits for', () => {
    withLoaded(NOTHING, ({ maps }) => {
      expect(verdictOf(guardProgram(), maps)).toBe(1);
    });
  });

  it('are accepted by the verifier as matches of the bridge', () => {
    withLoaded(NOTHING, ({ maps }) => {
      for (const spec of [bridgeAnyProgram(), bridgeClassProgram(0), bridgeClassProgram(7)]) {
        const program = loadProgram(spec, maps);
        // No packet is pending.
        expect(testRun(program, { data: new Uint8Array(64) }).retval).toBe(0);
        program.close();
      }
    });
  });
});
