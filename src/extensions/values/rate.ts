import type { ValueType } from '../contract.ts';
import { bad, good, wrongKind } from './numbers.ts';

/** XT_LIMIT_SCALE: `avg` counts ten-thousandths of a second between two packets. */
export const LIMIT_SCALE = 10_000;

const UNITS = [
  ['second', 1],
  ['minute', 60],
  ['hour', 3600],
  ['day', 86_400],
] as const;

/** As iptables prints them, in the order in which it tries them: the first that leaves a whole picture wins. */
const PRINTED = [
  ['day', LIMIT_SCALE * 86_400],
  ['hour', LIMIT_SCALE * 3600],
  ['min', LIMIT_SCALE * 60],
  ['sec', LIMIT_SCALE],
] as const;

/** limit's `n[/unit]`: kept as `avg`, the time between two packets in 1/10,000 s. */
export const limitRate: ValueType = {
  words: 1,
  parse([text = '']) {
    const slash = text.indexOf('/');
    const unit = slash === -1 ? 'second' : text.slice(slash + 1).toLowerCase();
    const multiplier = UNITS.find(([name]) => unit !== '' && name.startsWith(unit))?.[1];
    // atoi: what follows the digits (a fraction, say) is not looked at.
    const count = Number.parseInt(text, 10);
    if (multiplier === undefined || !(count > 0)) return bad(`"${text}" is not a rate such as 5/second`);
    const avg = Math.floor((LIMIT_SCALE * multiplier) / count);
    if (avg === 0 || count > LIMIT_SCALE * multiplier) return bad(`the rate "${text}" is too fast`);
    return good({ kind: 'integer', value: BigInt(avg) });
  },
  print(value) {
    return [value.kind === 'integer' ? formatRate(Number(value.value)) : wrongKind(value)];
  },
};

function formatRate(avg: number): string {
  let chosen: readonly [string, number] = PRINTED[3];
  for (let at = 1; at < PRINTED.length; at++) {
    const [, scale] = PRINTED[at] ?? chosen;
    // print_rate stops at the first unit that would show no packet, or be less exact than the one before.
    if (avg > scale || Math.floor(scale / avg) < scale % avg) {
      chosen = PRINTED[at - 1] ?? chosen;
      break;
    }
  }
  return `${Math.floor(chosen[1] / avg)}/${chosen[0]}`;
}
