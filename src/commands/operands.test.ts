import { expect, it } from 'vitest';
import { parseFiles } from './operands.ts';

it('says all that is wrong with a file at once', () => {
  const text = '*filter\n-A INPUT -s 300.1.1.1\n-A INPUT -m recent --nothing\n-A INPUT -j AUDIT --type none\nCOMMIT\n';
  const faults: string[] = [];
  const err = (line: string): void => void faults.push(line.split('\n')[0] ?? '');
  const output = { out: () => undefined, err, closed: false, colour: false };
  expect(parseFiles([{ source: { name: 'f', text }, family: 'ipv4' }], output)).toBeUndefined();
  expect(faults.map((fault) => fault.replace(/: error\[([a-z-]+)\].*/, ' $1'))).toEqual([
    'f:2:13 bad-address',
    'f:3:20 unknown-option',
    'f:4:26 bad-value',
  ]);
});
