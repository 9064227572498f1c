import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { buildSmallLab, type SmallLab } from '../../test/support/small-lab.ts';
import { DIFFERENTIAL, suite } from '../../test/support/suite.ts';

const RULES = `*filter
:INPUT ACCEPT [0:0]
-A INPUT -p udp -m udp --dport 7 -j DROP
COMMIT
`;

interface Line {
  readonly rules: readonly { readonly hook: string; readonly words: string; readonly packetsPerSecond: number }[];
}

suite('top', DIFFERENTIAL, () => {
  let lab: SmallLab;
  afterEach(() => lab.close());

  it('shows the rates of traffic at netfilter and on devices, through changes of the rules', async () => {
    lab = buildSmallLab('wh-top');
    const directory = mkdtempSync(join(tmpdir(), 'bpfilter-top-'));
    const file = join(directory, 'rules.v4');
    writeFileSync(file, RULES);
    expect((await lab.bpfilter('apply', file)).status).toBe(0);
    writeFileSync(file, RULES.replace('dport 7', 'dport 8'));
    expect((await lab.bpfilter('apply', '--hook', 'tc-ingress:f0', file)).status).toBe(0);
    const shown = lab.bpfilter('top', '--interval', '0.5', '-n', '4', '--json');
    await new Promise((resolve) => setTimeout(resolve, 700));
    lab.send(7, 50);
    lab.send(8, 25);
    await new Promise((resolve) => setTimeout(resolve, 700));
    writeFileSync(file, RULES.replace('-A INPUT', '-A INPUT -i lo -j ACCEPT\n-A INPUT'));
    expect((await lab.bpfilter('apply', file)).status).toBe(0);
    const { status, stdout } = await shown;
    expect(status).toBe(0);
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Line);
    const rates = (hook: string, port: number): readonly number[] =>
      lines.map(
        ({ rules }) =>
          rules.find((rule) => rule.hook === hook && rule.words.includes(`--dport ${port} -j DROP`))!.packetsPerSecond,
      );
    expect(Math.max(...rates('netfilter', 7))).toBeGreaterThan(20);
    expect(Math.max(...rates('tc-ingress:f0', 8))).toBeGreaterThan(10);
    expect(lines.at(-1)!.rules.some(({ words }) => words === '-i lo -j ACCEPT')).toBe(true);
    expect(rates('netfilter', 7).at(-1)).toBe(0);
    expect((await lab.bpfilter('top', '--once', '-i', '0.1')).stdout).toContain('tc-ingress:f0  ipv4    filter');
    expect((await lab.bpfilter('top', '-i', 'x')).status).toBe(2);
    rmSync(directory, { recursive: true });
  });
});
