import { describe, expect, it } from 'vitest';
import { FAMILIES } from '../packet/netfilter.ts';
import { findMatch, findTarget, MATCHES, TARGETS } from './registry.ts';

const ALL = [...MATCHES, ...TARGETS];

describe('the registry', () => {
  it.each([{ list: MATCHES }, { list: TARGETS }])('is sorted and has one entry for a name', ({ list }) => {
    const names = list.map((extension) => extension.name);
    expect(names).toEqual([...names].sort());
    for (const family of FAMILIES) {
      const own = list.filter((extension) => extension.families.includes(family)).map(({ name }) => name);
      expect(own).toEqual([...new Set(own)]);
    }
  });

  it('finds by name and family', () => {
    expect(findMatch('icmp', 'ipv4')?.name).toBe('icmp');
    expect(findMatch('icmp', 'ipv6')).toBeUndefined();
    expect(findMatch('MARK', 'ipv4')).toBeUndefined();
    expect(findMatch('mark', 'ipv4')?.kind).toBe('match');
    expect(findTarget('MARK', 'ipv6')?.kind).toBe('target');
    expect(findTarget('TTL', 'ipv6')).toBeUndefined();
  });
});

describe.each(ALL)('$kind $name', (extension) => {
  const names = extension.options.flatMap((spec) => [spec.name, ...(spec.aliases ?? [])]);

  it('has option names that lead to one option', () => {
    expect(new Set(names).size).toBe(names.length);
  });

  it('excludes and requires options that it has', () => {
    const own = extension.options.map((spec) => spec.name);
    for (const spec of extension.options)
      expect(own).toEqual(expect.arrayContaining([...(spec.excludes ?? []), ...(spec.requires ?? [])]));
  });

  it('says what values look like', () => {
    expect(extension.summary).toBeDefined();
    for (const spec of extension.options) {
      const takesNothing = spec.value.words === 0 && spec.value.optionalWord !== true;
      expect(spec.syntax === undefined).toBe(takesNothing);
    }
  });

  it('prints defaults that it can read back', () => {
    for (const spec of extension.options) {
      const value = spec.default;
      if (value === undefined) continue;
      for (const family of FAMILIES) {
        const words = spec.value.print(value, { family });
        expect(spec.value.parse(words, { family, option: spec.name })).toEqual({ ok: true, value });
      }
    }
  });
});
