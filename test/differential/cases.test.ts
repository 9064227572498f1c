/** What once differed: every file of `cases/` is a counterexample, named after what it showed. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { bpfilterFirewall } from '../support/bpfilter-firewall.ts';
import { kernelFirewall } from '../support/firewalls.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { compare } from './bisect.ts';
import { decodeCase, encodeCase } from './case.ts';

const FOLDER = join(import.meta.dirname, 'cases');
const names = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));

suite('counterexamples of the past', DIFFERENTIAL, () => {
  it.each(names)('%s', (name) => {
    const text = readFileSync(join(FOLDER, name), 'utf8').trim();
    const { sets, phases, devices } = decodeCase(text);
    expect(encodeCase({ sets, phases, devices })).toBe(text);
    expect(compare(sets, phases, { left: kernelFirewall, right: bpfilterFirewall, devices })).toBeUndefined();
  });
});
