/** Damaged rule files: what administrators, generators, editors and attackers make of good ones. */

import { type Family, TABLES } from '../../src/packet/netfilter.ts';
import { createRandom, type Random } from './random.ts';

export interface FuzzInput {
  readonly family: Family;
  readonly text: string;
}

const SPECIAL = [
  '"',
  "'",
  '\\',
  '!',
  '-',
  '--',
  '=',
  ',',
  ':',
  '/',
  '[',
  ']',
  '*',
  '#',
  ' ',
  '\t',
  '\r',
  '\0',
  'é',
  '💥',
  '\u2028',
];
const WORDS = [
  '!',
  '--',
  '-',
  '',
  '""',
  '-m',
  '-j',
  '-p',
  '-s',
  '-c',
  '-g',
  '-4',
  '-6',
  '-t',
  '-A',
  '-D',
  '-R',
  '-E',
  '-Z',
  '--dport',
  '--sport=1',
  '--d',
  'tcp',
  'udp',
  '0',
  '-1',
  '65536',
  '4294967296',
  '18446744073709551616',
  '0x',
  '0x1g',
  '1:2:3',
  ':',
  '1.2.3.4/33',
  '::/0',
  'ACCEPT',
  'LOG',
  'INPUT',
  'chain',
  'COMMIT',
  '*filter',
];
const FRAMES = [
  '*filter',
  ':INPUT ACCEPT [0:0]',
  ':chain - [0:0]',
  ':chain',
  ':',
  '*',
  'COMMIT',
  '# x',
  '',
  '[0:0]',
  ':FORWARD DROP [x]',
];

/** The input of a number: the same for the same number and seeds. */
export function makeInput(number: number, seeds: readonly string[]): FuzzInput {
  const random = createRandom(number * 2654435761);
  const family: Family = random.chance(2) ? 'ipv4' : 'ipv6';
  if (random.chance(40)) return { family, text: noise(random) };
  const lines = [`*${random.chance(8) ? random.pick(TABLES) : 'filter'}`, ':chain - [0:0]'];
  const count = random.chance(2) ? 1 : 1 + random.below(4);
  for (let at = 0; at < count; at++) lines.push(mutateLine(random.pick(seeds), random, seeds));
  if (random.chance(20)) lines.splice(random.below(lines.length), 0, random.pick(FRAMES));
  if (!random.chance(50)) lines.push('COMMIT');
  return { family, text: `${lines.join('\n')}${random.chance(50) ? '' : '\n'}` };
}

/** One damaged rule line by number, for comparison with iptables itself. */
export function makeLine(number: number, seeds: readonly string[]): { readonly family: Family; readonly line: string } {
  const random = createRandom(number * 2654435761 + 1);
  return { family: random.chance(2) ? 'ipv4' : 'ipv6', line: mutateLine(random.pick(seeds), random, seeds) };
}

function noise(random: Random): string {
  let text = '';
  for (let left = random.below(60); left > 0; left--) {
    text += random.chance(3) ? random.pick(SPECIAL) : random.chance(4) ? `${random.pick(WORDS)} ` : '';
    text += random.chance(6) ? '\n' : String.fromCharCode(random.below(random.chance(8) ? 0x10000 : 128));
  }
  return text;
}

function mutateLine(line: string, random: Random, seeds: readonly string[]): string {
  let words = line.split(' ');
  for (let left = random.pick([0, 0, 1, 1, 2, 3]); left > 0; left--) words = mutateWords(words, random, seeds);
  let text = words.join(random.chance(60) ? '\t' : ' ');
  for (let left = random.chance(3) ? random.below(4) : 0; left > 0; left--) text = mutateText(text, random);
  return text;
}

function mutateWords(words: readonly string[], random: Random, seeds: readonly string[]): string[] {
  const at = random.below(words.length);
  const word = words[at] ?? '';
  const before = words.slice(0, at);
  const after = words.slice(at + 1);
  switch (random.below(10)) {
    case 0:
      return [...before, ...after];
    case 1:
      return [...before, word, word, ...after];
    case 2:
      return [...before, random.pick(WORDS), ...after];
    case 3:
      return [...before, word, random.pick(WORDS), ...after];
    case 4: {
      const other = random.pick(seeds).split(' ');
      const from = random.below(other.length);
      return [...before, word, ...other.slice(from, from + 1 + random.below(4)), ...after];
    }
    case 5:
      return [...before, '!', word, ...after];
    // An abbreviation, or a name that runs on.
    case 6:
      return [...before, word.slice(0, random.below(word.length + 1)), ...after];
    case 7:
      return [...before, `${word}=${after[0] ?? ''}`, ...after.slice(1)];
    case 8:
      return [
        ...before,
        word.replace(/\d+/, () => String(random.pick([0, 1, 255, 256, 65535, 65536, 2 ** 32, 2 ** 64]))),
        ...after,
      ];
    default:
      return [...before, `"${word} `, ...after];
  }
}

function mutateText(text: string, random: Random): string {
  const at = random.below(text.length + 1);
  switch (random.below(5)) {
    case 0:
      return text.slice(0, at) + random.pick(SPECIAL) + text.slice(at);
    case 1:
      return text.slice(0, at) + text.slice(at + 1);
    case 2:
      return text.slice(0, at) + String.fromCharCode(random.below(256)) + text.slice(at + 1);
    case 3:
      return random.chance(50) ? text.slice(0, at) + 'x'.repeat(random.below(12_000)) + text.slice(at) : text;
    default:
      return text.slice(0, at) + text.slice(at, at + 8) + text.slice(at);
  }
}
