import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { protocolName, protocolNumber } from './protocols.ts';
import { servicePort } from './services.ts';

it.each([
  ['tcp', 6],
  ['TCP', 6],
  ['ipv6-icmp', 58],
  ['icmpv6', 58],
  ['mh', 135],
  ['all', 0],
  ['hopopt', 0],
  ['Tcp', undefined],
  ['constructor', undefined],
])('protocol %s is %s', (name, number) => {
  expect(protocolNumber(name)).toBe(number);
});

it('prints the first name of a number', () => {
  expect([0, 4, 6, 58, 135, 200].map(protocolName)).toEqual([
    'ip',
    'ipencap',
    'tcp',
    'ipv6-icmp',
    'mobility-header',
    undefined,
  ]);
});

it('knows services by protocol', () => {
  expect(servicePort('http', 'tcp')).toBe(80);
  expect(servicePort('www', 'tcp')).toBe(80);
  expect(servicePort('tftp', 'tcp')).toBeUndefined();
  expect(servicePort('tftp')).toBe(69);
  expect(servicePort('__proto__', 'tcp')).toBeUndefined();
});

const entries = (file: string): readonly (readonly string[])[] =>
  existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\n')
        .map((line) => line.replace(/#.*/, '').trim().split(/\s+/))
        .filter((words) => words.length > 1)
    : [];

it('agrees with this system where the system has an opinion', () => {
  for (const [name = '', number = '', ...aliases] of entries('/etc/protocols')) {
    if (Number(number) > 255) continue;
    for (const word of [name, ...aliases])
      if (protocolNumber(word) !== undefined) expect(protocolNumber(word)).toBe(Number(number));
  }
});
