import { readdirSync } from 'node:fs';
import { release } from 'node:os';
import { describe, expect, it } from 'vitest';
import { suite } from '../../test/support/suite.ts';
import { SyscallError } from './errno.ts';
import { type Answer, FEATURES, type Feature, probeFeature } from './features.ts';
import { namespaceCookie } from './namespace.ts';

/** Whether this kernel is at least as new as the version a feature names. */
function isNewer(since: string): boolean {
  const version = /^(\d+)\.(\d+)/.exec(since);
  const own = /^(\d+)\.(\d+)/.exec(release());
  if (version === null || own === null) return false;
  const number = (parts: RegExpExecArray): number => Number(parts[1]) * 1000 + Number(parts[2]);
  return number(own) >= number(version);
}

describe('probes', () => {
  const failing = (error: unknown): Feature => ({
    name: 'x',
    why: '',
    since: 'any',
    required: false,
    probe(): Answer {
      throw error;
    },
  });

  it('do not take a lack of permission for a lack of the feature', () => {
    expect(probeFeature(failing(new SyscallError('x', 1))).kind).toBe('unknown');
    expect(probeFeature(failing(new SyscallError('x', 12))).kind).toBe('unknown');
    expect(probeFeature(failing(Object.assign(new Error('x'), { code: 'EACCES' }))).kind).toBe('unknown');
    expect(probeFeature(failing(new SyscallError('x', 95)))).toMatchObject({ kind: 'no' });
  });

  it('have names of their own', () => {
    expect(new Set(FEATURES.map((feature) => feature.name)).size).toBe(FEATURES.length);
  });
});

suite('the features of this kernel', ['root', 'btf'], () => {
  it.each(FEATURES)('$name', (feature) => {
    const answer = probeFeature(feature);
    // A kernel newer than the documented version without the feature: the table is wrong, or a configuration option decides.
    if (isNewer(feature.since) && !feature.since.includes('CONFIG')) expect(answer.kind).not.toBe('no');
    if (answer.kind === 'yes') expect(answer.detail ?? 'x').not.toBe('');
    else expect(answer.reason).not.toBe('');
  });

  it('are found out without leaving anything behind', () => {
    const open = (): number => readdirSync('/proc/self/fd').length;
    const cookie = namespaceCookie();
    FEATURES.forEach(probeFeature);
    const before = open();
    FEATURES.forEach(probeFeature);
    expect(open()).toBe(before);
    expect(namespaceCookie()).toBe(cookie);
  });
});
