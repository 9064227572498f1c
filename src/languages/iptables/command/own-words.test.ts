import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { Family } from '../../../packet/netfilter.ts';
import { type CommandWorld, isResult, readCommandLine, runCommandLine } from './run.ts';

/** Recorded from iptables-legacy. */
const CASES = readFileSync(new URL('legacy-complaints.tsv', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => line.split('\t'));

it.each(CASES)('%s %s', (family = '', line = '', status = '', stderr = '') => {
  const name = family === 'ipv4' ? 'iptables' : 'ip6tables';
  const world: CommandWorld = { family: family as Family, program: { name, version: '1.8.9 (legacy)' } };
  const command = readCommandLine(line.split(' '), world);
  const result = isResult(command) ? command : runCommandLine(command, undefined, world);
  expect({ status: result.status, stderr: result.stderr }).toEqual({
    status: Number(status),
    stderr: JSON.parse(stderr),
  });
});
