import { expect, it } from 'vitest';
import { ratesBetween } from './rates.ts';
import { countedRules, type Sample } from './sample.ts';
import { ratesJson, ratesText, short } from './view.ts';

const text = (drop: string, web: string, extra = ''): string => `# comment
*filter
:INPUT ACCEPT ${web}
:web - [0:0]
${extra}${drop} -A INPUT -p udp -j DROP
[0:0] -A INPUT -p tcp -j web
[7:70] -A web -j REJECT --reject-with icmp-port-unreachable
COMMIT
`;
const sampleOf = (at: number, ...args: Parameters<typeof text>): Sample => ({
  at,
  rules: countedRules(text(...args), 'netfilter', 'ipv4'),
});

it('reads rules and policies with their counters', () => {
  expect(
    sampleOf(0, '[1:2]', '[3:4]').rules.map(
      ({ chain, number, words, packets, bytes }) => `${chain} ${number} ${packets}:${bytes} ${words}`,
    ),
  ).toEqual([
    'INPUT 0 3:4 policy ACCEPT',
    'INPUT 1 1:2 -p udp -j DROP',
    'INPUT 2 0:0 -p tcp -j web',
    'web 1 7:70 -j REJECT --reject-with icmp-port-unreachable',
  ]);
});

it('makes rates of two samples', () => {
  const rates = ratesBetween(sampleOf(0, '[10:1000]', '[5:50]'), sampleOf(2000, '[30:5000]', '[5:50]'));
  expect(rates.seconds).toBe(2);
  expect(rates.rules[1]).toMatchObject({ packetsPerSecond: 10, bytesPerSecond: 2000 });
  expect(rates.hooks).toEqual([{ hook: 'netfilter', family: 'ipv4', table: 'filter', accepted: 0, dropped: 10 }]);
});

it('does not take a rule that moves, comes or begins anew for traffic', () => {
  const before = sampleOf(0, '[1000:1000]', '[0:0]');
  const moved = ratesBetween(before, sampleOf(1000, '[1000:1000]', '[0:0]', '[4:40] -A INPUT -i lo -j ACCEPT\n'));
  expect(moved.rules.map(({ packetsPerSecond }) => packetsPerSecond)).toEqual([0, 4, 0, 0, 0]);
  const anew = ratesBetween(before, sampleOf(1000, '[3:30]', '[0:0]'));
  expect(anew.rules[1]!.packetsPerSecond).toBe(3);
});

it('fits a terminal exactly', () => {
  const rates = ratesBetween(sampleOf(0, '[0:0]', '[0:0]'), sampleOf(1000, '[12345:9999999]', '[1:1]'));
  for (const rows of [3, 6, 24]) {
    for (const columns of [20, 80]) {
      const lines = ratesText(rates, { sort: 'packets', size: { columns, rows } }).split('\n').slice(0, -1);
      expect(lines).toHaveLength(rows);
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
    }
  }
});

it('shows what has traffic, the busiest first', () => {
  const rates = ratesBetween(sampleOf(0, '[0:0]', '[0:0]'), sampleOf(1000, '[12345:9999999]', '[1:1]'));
  expect(ratesText(rates, { sort: 'packets' })).toBe(
    `hook       family  table   accepted/s  dropped/s
netfilter  ipv4    filter           1        12k

packets/s  bytes/s  packets  hook            chain         num  rule
      12k      10M      12k  netfilter ipv4  filter INPUT    1  -p udp -j DROP
        1        1        1  netfilter ipv4  filter INPUT       policy ACCEPT
`,
  );
  expect(JSON.parse(ratesJson(rates, 'bytes')).rules[0]).toMatchObject({ words: '-p udp -j DROP', bytes: '9999999' });
  expect(ratesText(ratesBetween({ at: 0, rules: [] }, { at: 1, rules: [] }), { sort: 'order' })).toContain(
    'nothing is in force',
  );
});

it('writes numbers short', () => {
  expect([0, 1, 9.94, 0.5, 999, 999.6, 1234, 12345, 1e6, 2.5e12].map(short)).toEqual([
    '0',
    '1',
    '9.9',
    '0.5',
    '999',
    '1.0k',
    '1.2k',
    '12k',
    '1.0M',
    '2.5T',
  ]);
});
