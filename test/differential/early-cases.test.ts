/** Every counterexample of the past (cases.test.ts) once more, with early drop on. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { bpfilterEarly } from '../support/bpfilter-firewall.ts';
import { kernelFirewall } from '../support/firewalls.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { compare } from './bisect.ts';
import { decodeCase } from './case.ts';

const FOLDER = join(import.meta.dirname, 'cases');
const names = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));

suite('counterexamples of the past, with early drop', DIFFERENTIAL, () => {
  it.each(names)('%s', (name) => {
    const { sets, phases, devices } = decodeCase(readFileSync(join(FOLDER, name), 'utf8').trim());
    expect(compare(sets, phases, { left: kernelFirewall, right: bpfilterEarly, devices })).toBeUndefined();
  });
});
