import { describe, expect, it } from 'vitest';
import { effectProgramName } from '../codegen/netfilter/effect-programs.ts';
import { type HookBridge, programsOf, type TableBridge, tableWithBridges } from './effect-rules.ts';

const effect = (number: number, ...target: readonly string[]) => ({ number, needs: [], target });
const hook = (name: HookBridge['hook'], entries: number, effects: HookBridge['effects']): HookBridge => ({
  hook: name,
  entries,
  effects,
  reject: [],
});
const bridge = (base: number, ...hooks: readonly HookBridge[]): TableBridge => ({ family: 'ipv4', base, hooks });

/** The rules of a text, programs by name only. */
function rules(text: string): readonly string[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('-A'))
    .map((line) => line.replaceAll('-m bpf --object-pinned /pins/', ''));
}

describe('the rules that carry effects out', () => {
  it('begin each entry, and carry it out with what the kernel wants to see', () => {
    const mss = { number: 17, needs: ['-p', '6', '-m', 'tcp', '--syn'], target: ['TCPMSS', '--set-mss', '500'] };
    const one = bridge(0, {
      ...hook('INPUT', 2, [effect(16, 'MARK', '--set-xmark', '0x1/0x1'), mss]),
      reject: ['tcp-reset'],
    });
    const text = tableWithBridges('filter', [one], '/pins');
    expect(text.split('\n').slice(0, 6)).toEqual([
      '*filter',
      ':INPUT ACCEPT [0:0]',
      ':FORWARD ACCEPT [0:0]',
      ':OUTPUT ACCEPT [0:0]',
      ':BPFILTER-0-INPUT-DO - [0:0]',
      ':BPFILTER-0-INPUT - [0:0]',
    ]);
    expect(rules(text)).toEqual([
      '-A INPUT any-0 -j BPFILTER-0-INPUT',
      '-A BPFILTER-0-INPUT more-0 -j BPFILTER-0-INPUT-DO',
      '-A BPFILTER-0-INPUT more-0 -j BPFILTER-0-INPUT-DO',
      '-A BPFILTER-0-INPUT-DO id-1 -j DROP',
      '-A BPFILTER-0-INPUT-DO -p tcp id-10 -j REJECT --reject-with tcp-reset',
      '-A BPFILTER-0-INPUT-DO id-16 -j MARK --set-xmark 0x1/0x1',
      '-A BPFILTER-0-INPUT-DO -p 6 -m tcp --syn id-17 -j TCPMSS --set-mss 500',
    ]);
  });

  it('of two generations stand in front of rules that are there', () => {
    const [old, now] = [0, 16_384].map((base) => bridge(base, hook('PREROUTING', 1, [effect(16, 'AUDIT')])));
    const there =
      '# x\n*raw\n:PREROUTING DROP [1:2]\n:OUTPUT ACCEPT [0:0]\n:user - [0:0]\n[3:4] -A PREROUTING -j user\nCOMMIT\n';
    const text = tableWithBridges('raw', [old!, now!], '/pins', there);
    expect(text).toContain(':PREROUTING DROP [1:2]\n:OUTPUT ACCEPT [0:0]\n:user - [0:0]\n:BPFILTER-0-PREROUTING');
    expect(rules(text).filter((rule) => rule.startsWith('-A PREROUTING'))).toEqual([
      '-A PREROUTING any-0 -j BPFILTER-0-PREROUTING',
      '-A PREROUTING any-16384 -j BPFILTER-1-PREROUTING',
    ]);
    expect(text).toMatch(/\n\[3:4\] -A PREROUTING -j user\nCOMMIT\n$/);
  });

  it('many entries are asked for in parts, many effects in groups; every program has its pin', () => {
    const effects = Array.from({ length: 20 }, (_, index) =>
      effect(16 + index, 'MARK', '--set-xmark', `${index}/0xff`),
    );
    const one = bridge(0, hook('INPUT', 20, effects));
    const text = tableWithBridges('mangle', [one], '/pins');
    const names = new Set([...text.matchAll(/\/pins\/(\S+)/g)].map((match) => match[1]));
    expect(new Set(programsOf(one).map(effectProgramName))).toEqual(names);
    expect(rules(text).filter((rule) => rule.includes(' more-0 '))).toHaveLength(20);
    expect(rules(text).filter((rule) => / any-0 -g /.test(rule))).toEqual([
      '-A BPFILTER-0-INPUT any-0 -g BPFILTER-0-INPUT+8',
      '-A BPFILTER-0-INPUT+8 any-0 -g BPFILTER-0-INPUT+16',
    ]);
    expect(rules(text).filter((rule) => rule.includes('range-'))).toEqual([
      '-A BPFILTER-0-INPUT-DO range-1-23 -j BPFILTER-0-INPUT-0',
      '-A BPFILTER-0-INPUT-DO range-23-31 -j BPFILTER-0-INPUT-1',
      '-A BPFILTER-0-INPUT-DO range-31-36 -j BPFILTER-0-INPUT-2',
    ]);
  });
});
