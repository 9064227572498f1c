import { readlinkSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../test/support/command.ts';
import { suite } from '../../test/support/suite.ts';
import { namespaceCookie, namespacePath, withNamespace, withTemporaryNamespace } from './namespace.ts';

const NAME = 'bfk-ns';
const here = (): string => readlinkSync('/proc/thread-self/ns/net');

describe('namespace names', () => {
  it('are names of ip netns, paths or process ids', () => {
    expect(namespacePath('blue')).toBe('/run/netns/blue');
    expect(namespacePath('/proc/1/ns/net')).toBe('/proc/1/ns/net');
    expect(namespacePath('4194303')).toBe('/proc/4194303/ns/net');
    expect(namespacePath('007')).toBe('/run/netns/007');
  });
});

suite('network namespaces', ['root', 'ip'], () => {
  beforeAll(() => {
    run('ip', ['netns', 'add', NAME]);
  });
  afterAll(() => {
    run('ip', ['netns', 'del', NAME]);
  });

  it('are entered and left', () => {
    const before = here();
    const inside = withNamespace(NAME, here);
    expect(inside).not.toBe(before);
    expect(withNamespace(`/run/netns/${NAME}`, here)).toBe(inside);
    expect(here()).toBe(before);
    expect(withNamespace(String(process.pid), here)).toBe(before);
    expect(withNamespace(undefined, here)).toBe(before);
  });

  it('are left when the work fails, and take no promises', () => {
    const before = here();
    const fail = (): void => {
      throw new Error('failed');
    };
    expect(() => withNamespace(NAME, fail)).toThrow('failed');
    expect(here()).toBe(before);
    expect(() => withNamespace(NAME, () => Promise.resolve())).toThrow('must not be asynchronous');
    expect(here()).toBe(before);
  });

  it('hold the programs that are run in them', () => {
    const links = withNamespace(NAME, () => run('ip', ['-o', 'link']));
    expect(links.trim().split('\n')).toHaveLength(1);
  });

  it('that are missing are named', () => {
    expect(() => withNamespace('bfk-none', here)).toThrow('/run/netns/bfk-none does not exist');
  });

  it('have cookies of their own', () => {
    const outside = namespaceCookie();
    const inside = withNamespace(NAME, namespaceCookie);
    expect(inside).not.toBe(outside);
    expect(withNamespace(NAME, namespaceCookie)).toBe(inside);
    expect(withTemporaryNamespace(namespaceCookie)).not.toBe(withTemporaryNamespace(namespaceCookie));
    expect(namespaceCookie()).toBe(outside);
  });
});
