import { afterAll, beforeAll, expect, it } from 'vitest';
import { run } from '../../test/support/command.ts';
import { suite } from '../../test/support/suite.ts';
import { listSetMembers, listSets, setIndex } from './ipset.ts';
import { withNamespace } from './namespace.ts';

const NAME = `bfk-ipset-${process.pid}`;

suite('ipset', ['root', 'ip'], () => {
  beforeAll(() => {
    run('ip', ['netns', 'add', NAME]);
    const lines = [
      'create plain hash:ip',
      'create six hash:ip,port family inet6 counters',
      'create lists list:set',
      'add lists plain',
      'add lists six',
    ];
    withNamespace(NAME, () => run('ipset', ['restore'], `${lines.join('\n')}\n`));
  });
  afterAll(() => {
    run('ip', ['netns', 'del', NAME]);
  });

  it('lists sets and the members of lists', () => {
    withNamespace(NAME, () => {
      expect([...listSets()].sort((a, b) => (a.name < b.name ? -1 : 1))).toEqual([
        { name: 'lists', type: 'list:set', counters: false },
        { name: 'plain', type: 'hash:ip', counters: false },
        { name: 'six', type: 'hash:ip,port', counters: true },
      ]);
      expect([...listSetMembers('lists')].sort()).toEqual(['plain', 'six']);
    });
  });

  it('knows the number of a set, and what does not exist', () => {
    withNamespace(NAME, () => {
      expect(['plain', 'six', 'lists'].map(setIndex)).toEqual([0, 1, 2]);
      expect(() => setIndex('nowhere')).toThrow('looking up the set nowhere');
    });
  });
});
