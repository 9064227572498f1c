/**
 * Network device names as the kernel compares them: IFNAMSIZ (16) bytes, filled with zeros, as one 128-bit number with
 * the first character in the top byte.
 */

export const IFNAMSIZ = 16;

/** The longest name a device can have, in bytes; the 16th byte is the NUL. */
export const DEVICE_NAME_MAX = IFNAMSIZ - 1;

/** The 16 bytes of a name (UTF-8); bytes after the 15th are cut off. No device is the empty name: 0. */
export function deviceNameValue(name: string): bigint {
  const bytes = new TextEncoder().encode(name).subarray(0, DEVICE_NAME_MAX);
  return [...bytes].reduce((value, byte, at) => value | (BigInt(byte) << BigInt(8 * (DEVICE_NAME_MAX - at))), 0n);
}

/**
 * What `-i PATTERN` compares (xtables_parse_interface): `eth0` its characters and the NUL behind them, `eth+` the
 * characters before the plus, `+` and the empty pattern nothing. `value` has no bits outside `mask`.
 */
export function devicePattern(pattern: string): { readonly value: bigint; readonly mask: bigint } {
  const length = new TextEncoder().encode(pattern).length;
  const compared = length === 0 ? 0 : pattern.endsWith('+') ? length - 1 : Math.min(length, DEVICE_NAME_MAX) + 1;
  const rest = BigInt(8 * (IFNAMSIZ - compared));
  const mask = ((1n << 128n) - 1n) ^ ((1n << rest) - 1n);
  return { value: deviceNameValue(pattern) & mask, mask };
}
