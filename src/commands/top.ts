/** `bpfilter top`: how much each rule and each hook has to do. */

import { hookText } from '../device/hook.ts';
import { readDevices } from '../firewall/device-read.ts';
import { readRuleset } from '../firewall/read.ts';
import { withSession } from '../firewall/session.ts';
import { printRuleset } from '../languages/iptables/print.ts';
import { FAMILIES } from '../packet/netfilter.ts';
import { wholeNumber } from './arguments.ts';
import { EXIT, type Invocation, UsageError } from './command.ts';
import { netnsFor } from './options.ts';
import { type Rates, ratesBetween, SORTS, type Sort } from './top/rates.ts';
import { countedRules, type Sample } from './top/sample.ts';
import { openTerminal } from './top/terminal.ts';
import { ratesJson, ratesText } from './top/view.ts';

/** What a key sorts by. */
const SORT_KEYS: Readonly<Record<string, Sort>> = { p: 'packets', b: 'bytes', t: 'total', o: 'order' };
const QUIT = ['q', 'Q', '\x03', '\x04'];

export async function run(invocation: Invocation): Promise<number> {
  const { options, output } = invocation;
  const netns = netnsFor(invocation);
  const interval = intervalOf(options['interval']) * 1000;
  const limit = options['once'] === true ? 1 : (wholeNumber('count', options['count']) ?? Number.POSITIVE_INFINITY);
  const json = options['json'] === true;
  let sort = sortOf(options['sort']);
  let ended = false;
  let rates: Rates | undefined;
  let wake = (): void => {};
  const end = (): void => {
    ended = true;
    wake();
  };
  const draw = (): void => {
    if (rates !== undefined) terminal?.draw(ratesText(rates, { sort, size: terminal.size }));
  };
  const terminal =
    json || Number.isFinite(limit)
      ? undefined
      : openTerminal({
          key(name) {
            if (QUIT.includes(name)) end();
            const chosen = SORT_KEYS[name];
            if (chosen === undefined) return;
            sort = chosen;
            draw();
          },
          resized: draw,
        });
  process.once('SIGINT', end);
  process.once('SIGTERM', end);
  try {
    let before = sample(netns);
    for (let printed = 0; printed < limit && !ended && !output.closed; printed++) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, interval);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      if (ended) break;
      const now = sample(netns);
      rates = ratesBetween(before, now);
      before = now;
      if (terminal !== undefined) draw();
      else output.out(json ? ratesJson(rates, sort) : `${printed === 0 ? '' : '\n'}${ratesText(rates, { sort })}`);
    }
  } finally {
    terminal?.close();
    process.off('SIGINT', end);
    process.off('SIGTERM', end);
  }
  return EXIT.done;
}

/** How often a generation may be taken away while it is read. */
const ATTEMPTS = 5;

/** Reads everything, without keeping anybody from changing it: what goes away meanwhile is read again. */
function sample(netns: string | undefined): Sample {
  for (let attempt = 1; ; attempt++) {
    try {
      return withSession(netns, ({ layout }) => ({
        at: performance.now(),
        rules: [
          ...FAMILIES.flatMap((family) => {
            const read = readRuleset(layout, family);
            return read === undefined
              ? []
              : countedRules(printRuleset(read.ruleset, { counters: true }), 'netfilter', family);
          }),
          ...readDevices(layout).flatMap(({ hook, families, chain }) =>
            families.flatMap(({ family, ruleset }) =>
              countedRules(printRuleset(ruleset, { counters: true }), hookText(hook), family).filter(
                (rule) => rule.number !== 0 || rule.chain === chain.hook,
              ),
            ),
          ),
        ],
      }));
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
    }
  }
}

function intervalOf(text: string | true | undefined): number {
  if (text === undefined) return 1;
  if (text === true || !/^\d{1,5}(\.\d{1,3})?$/.test(text) || Number(text) < 0.1)
    throw new UsageError(`--interval wants a number of seconds from 0.1 on, not "${String(text)}"`);
  return Number(text);
}

function sortOf(text: string | true | undefined): Sort {
  if (text === undefined) return 'packets';
  const sort = SORTS.find((name) => name === text);
  if (sort === undefined) throw new UsageError(`--sort wants one of ${SORTS.join(', ')}, not "${String(text)}"`);
  return sort;
}
