/** Rules with memory on two CPUs at once: nothing is counted twice or lost. */

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { MAP_NAMES } from '../../src/codegen/compiled.ts';
import { decodeRecentList } from '../../src/firewall/named-values.ts';
import { bpffsRoot } from '../../src/kernel/bpffs.ts';
import { readKernelFacts } from '../../src/kernel/facts.ts';
import { pin } from '../../src/kernel/object.ts';
import { netfilterInput } from '../../src/kernel/test-run.ts';
import { ipv4 } from '../../src/packet/craft.ts';
import { udp } from '../../src/packet/transport.ts';
import { filterPolicy } from '../generate/policies.ts';
import { withLoadedAsync } from '../support/loaded-generation.ts';
import { suite } from '../support/suite.ts';
import { compile, compiledHook } from './cases.ts';

const RULES = [
  '-A OUTPUT -m quota --quota 1000000',
  '-A OUTPUT -p udp -m hashlimit --hashlimit-upto 1/min --hashlimit-burst 2000 --hashlimit-mode srcip --hashlimit-srcmask 8 --hashlimit-name h',
  '-A OUTPUT -m recent --name l --remove',
  '-A OUTPUT -m recent --name l --update --hitcount 3',
  '-A OUTPUT -m recent --name l --set',
  '-A OUTPUT -m recent --name l --set',
];
const TIMES = 60_000;
/** Seconds the runs may take: in a minute the account would earn another packet. */
const PATIENCE = 40_000;

/** Runs a pinned program on a packet, many times, on one CPU. */
function runOn(cpu: number, program: string, directory: string, source: string): Promise<number | null> {
  const packet = ipv4({ source, destination: '10.9.9.9' }, udp({ data: new Uint8Array(5) }));
  const { data } = netfilterInput('ipv4', 'OUTPUT', packet);
  const file = join(directory, `packet-${cpu}`);
  writeFileSync(file, data);
  const child = spawn('taskset', [
    '-c',
    String(cpu),
    'bpftool',
    'prog',
    'run',
    'pinned',
    program,
    'data_in',
    file,
    'repeat',
    String(TIMES),
  ]);
  return new Promise((resolve) => child.on('close', resolve));
}

suite('rules with memory on several CPUs', ['root', 'btf'], () => {
  it('count every packet once', { timeout: 2 * PATIENCE }, async () => {
    const facts = { ...readKernelFacts(), modules: { recentEntries: 2, recentStamps: 0, hashlimitBuckets: 16 } };
    const policy = filterPolicy('ipv4', ...RULES);
    const generation = compile([policy], facts);
    const directory = mkdtempSync(join(tmpdir(), 'bpfilter-cpus-'));
    const pins = join(bpffsRoot(), `bpfilter-cpus-${process.pid}`);
    mkdirSync(pins);
    try {
      await withLoadedAsync(generation, async ({ maps, program }) => {
        const hook = compiledHook(generation, policy, 'OUTPUT')!;
        pin(program(hook).fd, join(pins, 'program'));
        const start = performance.now();
        const ends = await Promise.all(
          cpus().map((_, cpu) => runOn(cpu, join(pins, 'program'), directory, `10.0.0.${cpu % 3}`)),
        );
        expect(ends).toEqual(cpus().map(() => 0));
        expect(performance.now() - start).toBeLessThan(PATIENCE);

        const value = maps.get(MAP_NAMES.counters)!.readValue();
        const view = new DataView(value.buffer, value.byteOffset);
        const rules = policy.chains.find(({ name }) => name === 'OUTPUT')!.rules;
        const counted = (rule: number): number =>
          Array.from({ length: facts.possibleCpus }, (_, cpu) =>
            Number(view.getBigUint64(cpu * generation.counterStride + rules[rule]!.counter * 16, true)),
          ).reduce((sum, packets) => sum + packets, 0);
        const length = 20 + 8 + 5;
        expect(counted(0)).toBe(Math.floor(1_000_000 / length));
        expect(counted(1)).toBe(2000);
        expect(counted(5)).toBe(TIMES * cpus().length);

        const { map, table } = generation.named.find((named) => named.table.kind === 'recent')!;
        if (table.kind !== 'recent') throw new Error('no list');
        const list = maps.get(map)!.readValue();
        const entries = decodeRecentList(list, table);
        expect(entries.length).toBe(new DataView(list.buffer, list.byteOffset).getUint32(4, true));
        expect(entries.length).toBeLessThanOrEqual(2);
        expect(new Set(entries.map(({ address }) => address)).size).toBe(entries.length);
      });
    } finally {
      rmSync(pins, { recursive: true, force: true });
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
