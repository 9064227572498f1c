import { describe, expect, test } from 'vitest';
import { type ExtensionHeader, ipv6 } from '../packet/craft.ts';
import { PROTOCOL, raw, tcp } from '../packet/transport.ts';
import { walkIpv6 } from './ipv6-walk.ts';

const walk = (extensions: readonly ExtensionHeader[], cut?: number) =>
  walkIpv6(ipv6({ extensions, ...(cut === undefined ? {} : { cut }) }, tcp()));
const found = (protocol: number, offset: number, fragOffset = 0) => ({ protocol, offset, fragOffset, broken: false });
const broken = expect.objectContaining({ broken: true });

describe('ipv6_find_hdr', () => {
  test.each<[string, readonly ExtensionHeader[], number]>([
    ['no extension header', [], 40],
    ['hop-by-hop', [{ kind: 'hopByHop' }], 48],
    ['routing', [{ kind: 'routing', type: 0 }], 48],
    ['first fragment', [{ kind: 'fragment', more: 1 }], 48],
    ['AH', [{ kind: 'ah' }], 64],
    ['destination options', [{ kind: 'destination', data: new Uint8Array(20) }], 64],
    [
      'all of them, destination twice',
      [
        { kind: 'hopByHop' },
        { kind: 'destination' },
        { kind: 'routing' },
        { kind: 'fragment' },
        { kind: 'ah' },
        { kind: 'destination' },
      ],
      104,
    ],
  ])('%s is stepped over', (_, extensions, offset) => {
    expect(walk(extensions)).toEqual(found(PROTOCOL.tcp, offset));
  });

  test.each([PROTOCOL.esp, PROTOCOL.none, PROTOCOL.mobility, PROTOCOL.icmpv6, 255])(
    'protocol %i is final',
    (protocol) => {
      expect(walkIpv6(ipv6({}, raw(protocol)))).toEqual(found(protocol, 40));
    },
  );

  test.each<[ExtensionHeader['kind'], number]>([
    ['hopByHop', 2],
    ['destination', 2],
    ['ah', 2],
    ['routing', 4],
    ['fragment', 4],
  ])('%s needs %i bytes', (kind, needed) => {
    for (let cut = 0; cut < needed; cut++) expect(walk([{ kind }], cut)).toEqual(broken);
    expect(walk([{ kind }], needed)).toMatchObject({ protocol: PROTOCOL.tcp, broken: false });
  });

  test('a length past the end is believed; only the next extension header there is missing', () => {
    expect(walk([{ kind: 'hopByHop', length: 255 }])).toEqual(found(PROTOCOL.tcp, 40 + 2048));
    expect(walk([{ kind: 'hopByHop', length: 255 }, { kind: 'destination' }])).toEqual(broken);
  });

  test('later fragments: a protocol without a header, broken if it is an extension header again', () => {
    expect(walk([{ kind: 'fragment', offset: 1 }])).toEqual(found(PROTOCOL.tcp, 0, 8));
    expect(walk([{ kind: 'fragment', offset: 8191 }])).toEqual(found(PROTOCOL.tcp, 0, 65528));
    expect(walk([{ kind: 'fragment', offset: 1, nextHeader: PROTOCOL.none }])).toEqual(found(PROTOCOL.none, 0, 8));
    expect(walk([{ kind: 'fragment', offset: 1 }, { kind: 'destination' }])).toEqual(broken);
    expect(walk([{ kind: 'hopByHop' }, { kind: 'fragment', offset: 1 }])).toEqual(found(PROTOCOL.tcp, 0, 8));
  });

  test('reserved bits and flags of the fragment header are no offset', () => {
    expect(walk([{ kind: 'fragment', reserved: 255, reserved2: 3, more: 1 }])).toEqual(found(PROTOCOL.tcp, 48));
  });
});
