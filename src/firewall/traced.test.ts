import { describe, expect, it } from 'vitest';
import { outcomeOf, reasonsOf } from '../../test/differential/outcome.ts';

const FILTER = '*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp -j DROP\nCOMMIT\n';
const raw = (rule: string): string => `*raw\n:PREROUTING ACCEPT [0:0]\n:unused - [0:0]\n${rule}\nCOMMIT\n`;

describe('tables behind TRACE', () => {
  it.each(['-A PREROUTING -p tcp -j TRACE', '-A unused -j TRACE'])('stay with the kernel: %s', (rule) => {
    const outcome = outcomeOf('test', FILTER + raw(rule), 'ipv4');
    if (outcome.kind !== 'applies') throw new Error('refused');
    expect(outcome.share.bpf).toBe(0);
    const [filter, table] = reasonsOf(outcome.reasons);
    expect(filter).toMatch(
      /^stays-with-kernel \(line 8\): .*a packet that target "TRACE" follows cannot be run exactly in table filter/,
    );
    expect(table).toMatch(/^stays-with-kernel \(line 8\): .*target "TRACE" cannot be run exactly in table raw/);
  });

  it('are programs where nothing is traced', () => {
    const outcome = outcomeOf('test', FILTER + raw('-A PREROUTING -p tcp -j ACCEPT'), 'ipv4');
    expect(outcome.kind === 'applies' && outcome.share).toEqual({ bpf: 2, 'bpf+bridge': 0, kernel: 0 });
  });
});
