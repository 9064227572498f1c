import { describe, expect, it } from 'vitest';
import { filterPolicy } from '../../../test/generate/index.ts';
import { planChains, reachableChains } from './chain-plan.ts';

const HEAD = [':INPUT ACCEPT [0:0]', ':FORWARD ACCEPT [0:0]', ':OUTPUT ACCEPT [0:0]'];

function planOf(...lines: string[]) {
  const policy = filterPolicy('ipv4', ...HEAD, ...lines);
  const index = (name: string) => policy.chains.findIndex((chain) => chain.name === name);
  const plan = planChains(policy, 'INPUT')!;
  return { policy, plan, chain: (name: string) => plan.chains.get(index(name)) };
}

describe('the plan of chains', () => {
  it('gives no slot to a chain with one call site', () => {
    const { plan, chain } = planOf(':a - [0:0]', '-A INPUT -j a', '-A a -j ACCEPT');
    expect(chain('a')).toMatchObject({ returns: [{ kind: 'after', rule: 0 }], contexts: 1 });
    expect(chain('a')?.slot).toBeUndefined();
    expect(plan.slots).toBe(0);
  });

  it('gives chains on one path different slots', () => {
    const { plan, chain } = planOf(
      ...[':a - [0:0]', ':b - [0:0]', '-A INPUT -j a', '-A INPUT -j a', '-A INPUT -j b', '-A a -j b', '-A a -j b'],
    );
    expect(chain('a')).toMatchObject({ slot: 0, contexts: 2 });
    expect(chain('b')).toMatchObject({ slot: 1, contexts: 5 });
    expect(plan.slots).toBe(2);
  });

  it('hands the way back on through a goto', () => {
    const { chain } = planOf(':a - [0:0]', ':b - [0:0]', '-A INPUT -j a', '-A INPUT -g b', '-A a -g b');
    expect(chain('b')?.returns).toEqual([
      { number: 1, kind: 'policy' },
      { number: 2, kind: 'after', chain: 0, rule: 0 },
    ]);
  });

  it('turns to the loop when inlining would explode', () => {
    const names = Array.from({ length: 12 }, (_, i) => `c${i}`);
    const calls = names.flatMap((name, i) => {
      const next = names[i + 1];
      return next === undefined ? [`-A ${name} -j ACCEPT`] : [`-A ${name} -j ${next}`, `-A ${name} -j ${next}`];
    });
    const { plan, chain } = planOf(...names.map((name) => `:${name} - [0:0]`), '-A INPUT -j c0', ...calls);
    expect(chain('c11')?.contexts).toBe(2048);
    expect(plan.mode).toBe('loop');
    expect(plan.slots).toBe(11);
  });

  it('sees only what the hook can reach', () => {
    const { policy } = planOf(':a - [0:0]', ':b - [0:0]', '-A INPUT -j a', '-A OUTPUT -j b');
    expect(reachableChains(policy, 'INPUT').map((chain) => policy.chains[chain]!.name)).toEqual(['INPUT', 'a']);
    expect(planChains(policy, 'PREROUTING')).toBeUndefined();
  });
});
