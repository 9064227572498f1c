import { describe, expect, it } from 'vitest';
import { type ExtensionHeader, ipv6 } from '../packet/craft.ts';
import { tcp } from '../packet/transport.ts';
import { HEADER_BITS } from './scan.ts';
import { findExtensionHeader, scanExtensionHeader } from './scan-extension.ts';
import { scanHeaderSet } from './scan-header-set.ts';

const packet = (extensions: readonly ExtensionHeader[], cut?: number): Uint8Array =>
  ipv6({ extensions, ...(cut === undefined ? {} : { cut }) }, tcp({}));
const later: ExtensionHeader = { kind: 'fragment', offset: 1, more: 1, id: 1 };

describe('findExtensionHeader', () => {
  it.each([
    ['none', packet([]), 43, 'absent'],
    ['first', packet([{ kind: 'routing', type: 0 }]), 43, 40],
    ['second', packet([{ kind: 'hopByHop' }, { kind: 'routing', type: 0 }]), 43, 48],
    ['a later fragment', packet([later]), 44, 40],
    ['behind a later fragment', packet([later, { kind: 'destination' }]), 60, 'absent'],
    ['cut', packet([{ kind: 'routing', type: 0 }], 3), 43, 'broken'],
    ['cut before it', packet([{ kind: 'destination' }, { kind: 'routing', type: 0 }], 9), 43, 'broken'],
  ] as const)('%s', (_, bytes, header, expected) => {
    expect(findExtensionHeader(bytes, header)).toBe(expected);
  });
});

it('a header longer than its packet is evil, or no match', () => {
  const scan = { kind: 'extensionHeader', header: 60, least: 2, unreadable: 'evil', tests: [] } as const;
  const bytes = packet([{ kind: 'destination', length: 200 }]);
  expect(scanExtensionHeader(scan, bytes)).toBe('yes');
  expect(scanExtensionHeader({ ...scan, cut: 'no' }, bytes)).toBe('no');
  expect(scanExtensionHeader({ ...scan, cut: 'evil' }, bytes)).toBe('evil');
});

it('sets of headers', () => {
  const scan = (names: readonly (keyof typeof HEADER_BITS)[]) => {
    const value = names.reduce((bits, name) => bits | HEADER_BITS[name], 0);
    return { kind: 'headerSet', mask: 255, value, invert: false } as const;
  };
  expect(scanHeaderSet(scan(['protocol']), packet([]))).toBe('yes');
  expect(scanHeaderSet(scan(['hop-by-hop', 'protocol']), packet([{ kind: 'hopByHop' }]))).toBe('yes');
  // It walks on behind a later fragment's header.
  expect(scanHeaderSet(scan(['ipv6-frag', 'ipv6-opts', 'protocol']), packet([later, { kind: 'destination' }]))).toBe(
    'yes',
  );
  expect(scanHeaderSet({ ...scan(['protocol']), invert: true }, packet([{ kind: 'hopByHop' }], 1))).toBe('no');
});
