/** The reference layout against the BTF of a kernel of the same release; skipped by name on others. */

import { release } from 'node:os';
import { expect, it } from 'vitest';
import { ENVIRONMENT_MEMBERS } from '../../src/bpf/environment-members.ts';
import { NEEDED_MEMBERS } from '../../src/bpf/facts.ts';
import { REFERENCE_FACTS } from '../../src/bpf/reference-facts.ts';
import { readKernelFacts } from '../../src/kernel/facts.ts';
import { suite } from '../support/suite.ts';

it('names exactly the members that generated code may read', () => {
  expect(Object.keys(REFERENCE_FACTS.members).sort()).toEqual([...NEEDED_MEMBERS, ...ENVIRONMENT_MEMBERS].sort());
});

/** The layout depends on the kernel's configuration too, so only the same build is expected to agree. */
const SAME = release() === REFERENCE_FACTS.release && process.arch === 'x64';

suite('reference facts against the running kernel', ['btf'], () => {
  it.skipIf(!SAME)(`Linux ${release()} on ${process.arch} (reference: Linux ${REFERENCE_FACTS.release} on x64)`, () => {
    const facts = readKernelFacts();
    expect(facts.members).toEqual(REFERENCE_FACTS.members);
    expect({ hz: facts.hz, preemptRt: facts.preemptRt }).toEqual({ hz: 250, preemptRt: false });
  });
});
