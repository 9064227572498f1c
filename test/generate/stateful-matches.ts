/**
 * Random rules of matches that keep lists and accounts. Nothing in them depends on a moment more or less: lists are asked without
 * seconds, and accounts earn next to nothing while a test runs.
 */

import fc from 'fast-check';
import type { MatchGenerator, RuleSite } from './matches.ts';

const PORT_MODES = ['srcport', 'dstport'];
const WITH_PORTS = ['tcp', 'udp'];

/** Tables of one name count one thing: those whose rules differ about ports stay with the kernel as a whole. */
function tableFor(mode: readonly string[]): string {
  return mode.some((part) => PORT_MODES.includes(part)) ? 'p' : 'h';
}

function masks({ universe: { family } }: RuleSite): readonly string[] {
  return family === 'ipv4' ? ['', ' --mask 255.255.0.0'] : ['', ' --mask ffff:ffff::'];
}

export const STATEFUL_MATCHES = {
  quota: {
    memory: 'deterministic',
    text: () =>
      fc.tuple(fc.constantFrom('', '! '), fc.integer({ min: 0, max: 4000 })).map(([not, n]) => `${not}--quota ${n}`),
  },
  recent: {
    memory: 'deterministic',
    text: (site) =>
      fc
        .tuple(
          fc.constantFrom('', '! '),
          fc.constantFrom('--set', '--set', '--rcheck', '--update', '--remove'),
          fc.constantFrom('', ' --hitcount 2', ' --hitcount 3 --rttl', ' --rttl', ' --hitcount 40'),
          fc.constantFrom('r1', 'r2'),
          fc.constantFrom(...masks(site)),
          fc.constantFrom('--rsource', '--rdest'),
        )
        .map(([not, operation, asks, name, mask, side]) => {
          const asked = operation === '--rcheck' || operation === '--update' ? asks : '';
          return `${not}${operation}${asked} --name ${name}${mask} ${side}`;
        }),
  },
  hashlimit: {
    memory: 'deterministic',
    text: ({ universe: { family }, protocol }) => {
      const modes = ['srcip', 'dstip', ...(protocol !== undefined && WITH_PORTS.includes(protocol) ? PORT_MODES : [])];
      return fc
        .tuple(
          fc.constantFrom('upto', 'above'),
          fc.integer({ min: 1, max: 50 }),
          fc.integer({ min: 1, max: 5 }),
          fc.subarray(modes),
          fc.integer({ min: 0, max: family === 'ipv4' ? 32 : 128 }),
          fc.constantFrom(1, 2, 3),
          fc.constantFrom('', ' --hashlimit-htable-size 1 --hashlimit-htable-max 2'),
        )
        .map(
          ([sense, rate, burst, mode, mask, table, room]) =>
            `--hashlimit-${sense} ${rate}/hour --hashlimit-burst ${burst}${mode.length > 0 ? ` --hashlimit-mode ${mode.join(',')}` : ''}` +
            ` --hashlimit-srcmask ${mask} --hashlimit-name ${tableFor(mode)}${table}${room}`,
        );
    },
  },
} as const satisfies Record<string, MatchGenerator>;
