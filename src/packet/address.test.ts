import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addressToBytes,
  bytesToInteger,
  formatIpv4,
  formatIpv6,
  formatMask,
  maskToPrefix,
  parseIpv4,
  parseIpv4Loose,
  parseIpv6,
  prefixToMask,
} from './address.ts';

const ipv4 = fc.bigInt({ min: 0n, max: 0xffff_ffffn });
/** Addresses with many zero groups, where the shortening has something to do. */
const ipv6 = fc
  .array(fc.oneof(fc.constant(0n), fc.constant(0xffffn), fc.bigInt({ min: 0n, max: 0xffffn })), {
    minLength: 8,
    maxLength: 8,
  })
  .map((groups) => groups.reduce((value, group) => (value << 16n) | group, 0n));

describe('addresses', () => {
  test('print and parse are inverse', () => {
    fc.assert(fc.property(ipv4, (value) => parseIpv4(formatIpv4(value)) === value));
    fc.assert(fc.property(ipv6, (value) => parseIpv6(formatIpv6(value)) === value));
    fc.assert(fc.property(ipv6, (value) => bytesToInteger(addressToBytes(value, 'ipv6')) === value));
  });

  test.each([
    [0n, '::'],
    [1n, '::1'],
    [0x0001_0000n, '::0.1.0.0'],
    [0x0102_0304n, '::1.2.3.4'],
    [0xffff_0a00_0001n, '::ffff:10.0.0.1'],
    [0x0001_0102_0304n, '::1:102:304'],
    [0x2001_0db8_0000_0000_0000_0000_0000_0000n, '2001:db8::'],
    [0x2001_0db8_0000_0001_0001_0001_0001_0001n, '2001:db8:0:1:1:1:1:1'],
    [0x0001_0000_0000_0001_0000_0000_0000_0001n, '1:0:0:1::1'],
    [0x0001_0000_0000_0001_0000_0000_0001_0001n, '1::1:0:0:1:1'],
    [0xfe80_0000_0000_0000_0000_0000_0000_0000n, 'fe80::'],
  ])('%s prints as %s', (value, text) => {
    expect(formatIpv6(value)).toBe(text);
    expect(parseIpv6(text)).toBe(value);
  });

  test.each([
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    ':1::',
    '1:::2',
    '12345::',
    '1::2::3',
    '1:2:3:4:5:6:7:8::',
    'g::',
    '',
  ])('IPv6 %j is refused', (text) => expect(parseIpv6(text)).toBeUndefined());

  test('dotted quads: strict and as iptables reads them', () => {
    expect(parseIpv4('10.0.0.01')).toBeUndefined();
    expect(parseIpv4('10.0.0.256')).toBeUndefined();
    expect(parseIpv4('10.0.0')).toBeUndefined();
    expect(parseIpv4Loose('10.1')).toBe(0x0a01_0000n);
    expect(parseIpv4Loose('0x0a.010.0.1')).toBe(0x0a08_0001n);
    expect(parseIpv4Loose('255.255', { complete: true })).toBeUndefined();
    expect(parseIpv4Loose('1.2.3.4.5')).toBeUndefined();
    expect(parseIpv4Loose('1..2.3')).toBeUndefined();
  });

  test('masks', () => {
    for (let prefix = 0; prefix <= 32; prefix++)
      expect(maskToPrefix(prefixToMask(prefix, 'ipv4'), 'ipv4')).toBe(prefix);
    for (let prefix = 0; prefix <= 128; prefix++)
      expect(maskToPrefix(prefixToMask(prefix, 'ipv6'), 'ipv6')).toBe(prefix);
    expect(maskToPrefix(0xff00_ff00n, 'ipv4')).toBeUndefined();
    expect(formatMask(0xff00_ff00n, 'ipv4')).toBe('255.0.255.0');
    expect(formatMask(0xffff_0000n, 'ipv4')).toBe('16');
    expect(formatMask(0n, 'ipv6')).toBe('0');
  });
});
