/** The usual form of an IPv4 address, read in one pass. */

const DOT = 0x2e;
const ZERO = 0x30;

/**
 * Four decimal numbers 0..255 without leading zeros, as an unsigned integer in host order. Undefined for any other text, be it an
 * address in some other notation or none.
 */
export function plainQuad(text: string): number | undefined {
  let value = 0;
  let dots = 0;
  /** -1: no digit yet. */
  let octet = -1;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === DOT) {
      if (octet === -1 || dots === 3) return undefined;
      value = value * 256 + octet;
      octet = -1;
      dots++;
      continue;
    }
    const digit = code - ZERO;
    if (digit < 0 || digit > 9 || octet === 0) return undefined;
    octet = octet === -1 ? digit : octet * 10 + digit;
    if (octet > 255) return undefined;
  }
  return dots === 3 && octet !== -1 ? value * 256 + octet : undefined;
}
