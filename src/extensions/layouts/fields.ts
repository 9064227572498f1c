/** The kinds of fields that most structures are made of. */

import type { OptionUse, OptionValue } from '../../rules/model.ts';
import type { OptionMap } from '../contract.ts';
import { given } from '../options.ts';
import {
  type Bit,
  cleanAddress,
  cleanText,
  isSet,
  LayoutError,
  type Place,
  read,
  readAddress,
  readText,
  set,
  write,
  writeAddress,
  writeText,
  type XtField,
} from './layout.ts';

export interface FieldOptions {
  /** Set exactly when the option is there. */
  readonly present?: Bit;
  /** Set when the option is inverted. */
  readonly invert?: Bit;
}

/** A field of one value; `read` says undefined where the bytes mean that the option is absent. */
interface Scalar {
  write(value: OptionValue, info: DataView, ctx: Parameters<XtField['put']>[2]): void;
  read(info: DataView, ctx: Parameters<XtField['get']>[1], inverted: boolean): OptionValue | undefined;
  /** For an absent option; default: zeros. */
  absent?(info: DataView): void;
  clean?: XtField['clean'];
}

function scalar(option: string, { present, invert }: FieldOptions, field: Scalar): XtField {
  return {
    put(options, info, ctx) {
      const use = options[option];
      if (use === undefined) return field.absent?.(info);
      field.write(use.value, info, ctx);
      if (present !== undefined) set(info, present);
      if (!use.invert) return undefined;
      if (invert === undefined) throw new LayoutError(`--${option} cannot be inverted there`);
      return set(info, invert);
    },
    get(info, ctx) {
      if (present !== undefined && !isSet(info, present)) return {};
      const inverted = invert !== undefined && isSet(info, invert);
      const value = field.read(info, ctx, inverted);
      return value === undefined ? {} : { [option]: { value, invert: inverted } };
    },
    ...(field.clean === undefined ? {} : { clean: field.clean }),
  };
}

function expect<K extends OptionValue['kind']>(value: OptionValue, kind: K): Extract<OptionValue, { kind: K }> {
  if (value.kind !== kind) throw new TypeError(`a value of kind "${value.kind}" where "${kind}" belongs`);
  return value as Extract<OptionValue, { kind: K }>;
}

/** An integer; `idle` is the number that stands for an absent option. */
export function number(option: string, place: Place, options: FieldOptions & { readonly idle?: bigint } = {}): XtField {
  const { idle } = options;
  return scalar(option, options, {
    write: (value, info) => write(info, place, expect(value, 'integer').value),
    read(info, _ctx, inverted) {
      const value = read(info, place);
      return value === idle && !inverted ? undefined : { kind: 'integer', value };
    },
    ...(idle === undefined ? {} : { absent: (info) => write(info, place, idle) }),
  });
}

/** Two ends, both inclusive; `idle` are those that stand for an absent option. */
export function range(
  option: string,
  [low, high]: readonly [Place, Place],
  options: FieldOptions & { readonly idle?: readonly [bigint, bigint] } = {},
): XtField {
  const { idle } = options;
  return scalar(option, options, {
    write(value, info) {
      const { min, max } = expect(value, 'range');
      write(info, low, min);
      write(info, high, max);
    },
    read(info, _ctx, inverted) {
      const [min, max] = [read(info, low), read(info, high)];
      const absent = idle !== undefined && min === idle[0] && max === idle[1] && !inverted;
      return absent ? undefined : { kind: 'range', min, max };
    },
    absent(info) {
      if (idle === undefined) return;
      write(info, low, idle[0]);
      write(info, high, idle[1]);
    },
  });
}

/** A value and a mask; `zeroIsAbsent`: both zero stand for an absent option. */
export function masked(
  option: string,
  [valueAt, maskAt]: readonly [Place, Place],
  options: FieldOptions & { readonly zeroIsAbsent?: true } = {},
): XtField {
  return scalar(option, options, {
    write(use, info) {
      const { value, mask } = expect(use, 'masked');
      write(info, valueAt, value);
      write(info, maskAt, mask);
    },
    read(info, _ctx, inverted) {
      const [value, mask] = [read(info, valueAt), read(info, maskAt)];
      const absent = options.zeroIsAbsent === true && value === 0n && mask === 0n && !inverted;
      return absent ? undefined : { kind: 'masked', value, mask };
    },
  });
}

/** One address. */
export function address(option: string, at: number, options: FieldOptions = {}): XtField {
  return scalar(option, options, {
    write: (value, info, { family }) => writeAddress(info, at, family, expect(value, 'integer').value),
    read: (info, { family }) => ({ kind: 'integer', value: readAddress(info, at, family) }),
    clean: (info, { family }) => cleanAddress(info, at, family),
  });
}

/** Two addresses, both inclusive. */
export function addressRange(option: string, low: number, high: number, options: FieldOptions): XtField {
  return scalar(option, options, {
    write(value, info, { family }) {
      const { min, max } = expect(value, 'range');
      writeAddress(info, low, family, min);
      writeAddress(info, high, family, max);
    },
    read: (info, { family }) => ({
      kind: 'range',
      min: readAddress(info, low, family),
      max: readAddress(info, high, family),
    }),
    clean(info, { family }) {
      cleanAddress(info, low, family);
      cleanAddress(info, high, family);
    },
  });
}

/** Address and mask. */
export function network(option: string, at: number, maskAt: number, options: FieldOptions = {}): XtField {
  return scalar(option, options, {
    write(use, info, { family }) {
      const { value, mask } = expect(use, 'masked');
      writeAddress(info, at, family, value);
      writeAddress(info, maskAt, family, mask);
    },
    read: (info, { family }) => ({
      kind: 'masked',
      value: readAddress(info, at, family),
      mask: readAddress(info, maskAt, family),
    }),
    clean(info, { family }) {
      cleanAddress(info, at, family);
      cleanAddress(info, maskAt, family);
    },
  });
}

/** Text of less than `size` bytes; `optional`: an empty one is an absent option. */
export function text(
  option: string,
  at: number,
  size: number,
  options: FieldOptions & { readonly optional?: true } = {},
): XtField {
  return scalar(option, options, {
    write: (value, info) => writeText(info, at, size, expect(value, 'text').text),
    read(info) {
      const content = readText(info, at, size);
      return content === '' && options.optional === true ? undefined : { kind: 'text', text: content };
    },
    clean: (info) => cleanText(info, at, size),
  });
}

/** Bytes as they are. */
export function bytes(option: string, at: number, length: number, options: FieldOptions = {}): XtField {
  const part = (info: DataView): Uint8Array => new Uint8Array(info.buffer, info.byteOffset + at, length);
  return scalar(option, options, {
    write: (value, info) => part(info).set(expect(value, 'bytes').bytes),
    read: (info) => ({ kind: 'bytes', bytes: [...part(info)] }),
  });
}

/** An option without a value. */
export function flag(option: string, present: Bit, invert?: Bit): XtField {
  return scalar(
    option,
    { present, ...(invert === undefined ? {} : { invert }) },
    {
      write: () => {},
      read: () => ({ kind: 'flag' }),
    },
  );
}

/** One of several words, each standing for a number. */
export function keyword(
  option: string,
  place: Place,
  words: Readonly<Record<string, number>>,
  options: FieldOptions = {},
): XtField {
  return scalar(option, options, {
    write(value, info) {
      const { text: word } = expect(value, 'text');
      const code = words[word];
      if (code === undefined) throw new LayoutError(`--${option} ${word} has no number`);
      write(info, place, BigInt(code));
    },
    read(info) {
      const code = Number(read(info, place));
      const word = Object.keys(words).find((key) => words[key] === code);
      if (word === undefined) throw new LayoutError(`--${option} has no word for ${code}`);
      return { kind: 'text', text: word };
    },
  });
}

/** A set of words, each standing for bits; `none` is the word for no bits, without it no bits are an absent option. */
export function wordBits(
  option: string,
  place: Place,
  words: Readonly<Record<string, number>>,
  options: FieldOptions & { readonly none?: readonly string[] } = {},
): XtField {
  return scalar(option, options, {
    write(value, info) {
      const bits = expect(value, 'set').members.reduce((sum, word) => sum | BigInt(words[word] ?? 0), 0n);
      write(info, place, bits);
    },
    read(info) {
      const bits = read(info, place);
      const members = Object.keys(words).filter((word) => {
        const mask = BigInt(words[word] ?? 0);
        return mask !== 0n && (bits & mask) === mask;
      });
      if (members.length > 0) return { kind: 'set', members };
      return options.none === undefined ? undefined : { kind: 'set', members: options.none };
    },
  });
}

/** Exactly one of several options, told apart by a number: `modes` has it for each, `inverted` where `!` has its own. */
export function oneOf(
  place: Place,
  modes: readonly { readonly option: string; readonly code: number; readonly inverted?: true }[],
  value?: Place,
): XtField {
  return {
    put(options, info) {
      for (const { option, code, inverted } of modes) {
        const use = options[option];
        if (use === undefined || use.invert !== (inverted ?? false)) continue;
        write(info, place, BigInt(code));
        if (value !== undefined) write(info, value, given(options, option, 'integer')?.value ?? 0n);
        return;
      }
      throw new LayoutError(`none of ${modes.map(({ option }) => `--${option}`).join(', ')} is there`);
    },
    get(info) {
      const code = Number(read(info, place));
      const mode = modes.find((item) => item.code === code);
      if (mode === undefined) throw new LayoutError(`there is no option for ${code}`);
      const use: OptionValue = value === undefined ? { kind: 'flag' } : { kind: 'integer', value: read(info, value) };
      return { [mode.option]: { value: use, invert: mode.inverted ?? false } };
    },
  };
}

/** What is always that number. */
export function constant(place: Place, value: bigint): XtField {
  return { put: (_options, info) => write(info, place, value), get: () => ({}) };
}

/** An option that is there and not inverted. */
export function plain(value: OptionValue): OptionUse {
  return { value, invert: false };
}

export function integer(value: bigint): OptionUse {
  return plain({ kind: 'integer', value });
}

/** A field with code of its own. */
export function custom(
  put: (options: OptionMap, info: DataView, ctx: Parameters<XtField['put']>[2]) => void,
  get: (info: DataView, ctx: Parameters<XtField['get']>[1]) => OptionMap,
  clean?: XtField['clean'],
): XtField {
  return { put, get, ...(clean === undefined ? {} : { clean }) };
}
