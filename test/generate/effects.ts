/** Random targets that the kernel carries out for a program. None of them changes what a match can ask for, but marks. */
import fc from 'fast-check';

const MASKS = ['0x0', '0x1', '0x3', '0xf0', '0xff', '0xffffffff'] as const;
const mask = fc.constantFrom(...MASKS);
const bits = fc.constantFrom('0x0', '0x1', '0x2', '0x3', '0x10', '0xf0', '0xdeadbeef');

const mark = fc.oneof(
  fc.tuple(bits, mask).map(([value, under]) => `-j MARK --set-xmark ${value}/${under}`),
  fc.tuple(fc.constantFrom('and', 'or', 'xor'), bits).map(([how, value]) => `-j MARK --${how}-mark ${value}`),
);

const shift = fc.oneof(
  { weight: 3, arbitrary: fc.constant('') },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom('left', 'right'), fc.integer({ min: 1, max: 31 }))
      .map(([side, by]) => ` --${side}-shift-mark ${by}`),
  },
);

const connmark = fc.oneof(
  fc.tuple(bits, mask, shift).map(([value, under, by]) => `-j CONNMARK --set-xmark ${value}/${under}${by}`),
  fc
    .tuple(fc.constantFrom('save', 'restore'), mask, mask, shift)
    .map(([how, nf, ct, by]) => `-j CONNMARK --${how}-mark --nfmask ${nf} --ctmask ${ct}${by}`),
);

const others = fc.constantFrom(
  '-j NFQUEUE --queue-num 7 --queue-bypass',
  '-j NFQUEUE --queue-num 8',
  '-j AUDIT --type drop',
);

/** `-j TARGET ...`, in any table. */
export const effectText: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: mark },
  { weight: 3, arbitrary: connmark },
  { weight: 1, arbitrary: others },
);
