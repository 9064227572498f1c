import { release } from 'node:os';
import { expect, it } from 'vitest';
import { suite } from '../../test/support/suite.ts';
import { NEEDED_MEMBERS } from '../bpf/facts.ts';
import { configuredHz, kernelHz, readKernelFacts } from './facts.ts';

it('finds CONFIG_HZ among its neighbours', () => {
  expect(configuredHz('# CONFIG_HZ_100 is not set\nCONFIG_HZ_250=y\nCONFIG_HZ=250\nCONFIG_X=y\n')).toBe(250);
  expect(configuredHz('CONFIG_HZ_250=y\n')).toBeUndefined();
});

suite('facts of this kernel', ['root', 'btf'], () => {
  it('are complete', () => {
    const facts = readKernelFacts();
    expect(Object.keys(facts.members)).toEqual(expect.arrayContaining([...NEEDED_MEMBERS]));
    expect(facts).toMatchObject({ release: release(), hz: kernelHz() });
    expect(facts.members['nf_hook_state.hook']).toEqual({ offset: 0, size: 1 });
    expect(facts.members['sk_buff.pkt_type']).toMatchObject({ size: 1, bitCount: 3 });
    expect(facts.possibleCpus).toBeGreaterThan(0);
  });
});
