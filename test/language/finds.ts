/** Inputs that once went wrong, or that look as if they might: kept so that they never do again. */

import type { FuzzInput } from './mutate.ts';

const inFilter = (line: string): string => `*filter\n:chain - [0:0]\n${line}\nCOMMIT\n`;

export const FINDS: Readonly<Record<string, FuzzInput & { readonly accepted: boolean }>> = {
  'a great number': {
    family: 'ipv4',
    text: inFilter(`-A INPUT -m length --length ${'9'.repeat(900)}`),
    accepted: false,
  },
  'a great number of zeros': {
    family: 'ipv4',
    text: inFilter(`-A INPUT -m length --length ${'0'.repeat(900)}`),
    accepted: true,
  },
  'nothing but an option': { family: 'ipv4', text: inFilter('-'), accepted: false },
  'an empty long option': { family: 'ipv4', text: inFilter('--=x'), accepted: false },
  'bundle with a command': { family: 'ipv4', text: inFilter('-vfA INPUT'), accepted: true },
  'a prototype as an option': { family: 'ipv4', text: inFilter('-A INPUT --constructor --__proto__'), accepted: false },
  'a prototype as a chain': {
    family: 'ipv4',
    text: inFilter('-N __proto__\n-A __proto__ -j constructor'),
    accepted: false,
  },
  'a chain of that name': { family: 'ipv4', text: inFilter('-N __proto__\n-A INPUT -j __proto__'), accepted: true },
  'a prototype as a protocol': { family: 'ipv4', text: inFilter('-A INPUT -p constructor'), accepted: false },
  'a prototype as a flag': {
    family: 'ipv4',
    text: inFilter('-A INPUT -p tcp --tcp-flags constructor ALL'),
    accepted: false,
  },
  'a brace in a counter': { family: 'ipv4', text: inFilter('[-1:0] -A INPUT'), accepted: false },
  'two marks of family': { family: 'ipv4', text: inFilter('-A INPUT -4 -6 --nonsense'), accepted: true },
  'deep chains': {
    family: 'ipv4',
    text: `*filter\n${Array.from({ length: 20_000 }, (_, at) => `:c${at} - [0:0]`).join('\n')}\n-A INPUT -j c0\n${Array.from({ length: 19_999 }, (_, at) => `-A c${at} -j c${at + 1}`).join('\n')}\nCOMMIT\n`,
    accepted: true,
  },
  'a great many circles': {
    family: 'ipv4',
    text: `*filter\n${Array.from({ length: 200 }, (_, at) => `:c${at} - [0:0]`).join('\n')}\n-A INPUT -j c0\n${Array.from({ length: 200 * 200 }, (_, at) => `-A c${Math.floor(at / 200)} -j c${at % 200}`).join('\n')}\nCOMMIT\n`,
    accepted: false,
  },
  'half a character': { family: 'ipv4', text: inFilter('-A INPUT -m comment --comment "\ud83d"'), accepted: true },
};
