import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { makeCapture } from './capture.ts';

const FILE = new URL('../../../examples/server.pcap', import.meta.url);

it('examples/server.pcap is the capture of the demonstration (UPDATE_EXAMPLES=1 writes it)', () => {
  const made = makeCapture();
  if (process.env['UPDATE_EXAMPLES'] === '1') writeFileSync(FILE, made);
  expect(Buffer.from(readFileSync(FILE)).equals(Buffer.from(made))).toBe(true);
});
