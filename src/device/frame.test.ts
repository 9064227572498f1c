import { expect, it } from 'vitest';
import { ethernet, ipv4, ipv6 } from '../packet/craft.ts';
import { udp } from '../packet/transport.ts';
import { fateOfFrame } from './frame.ts';

const PAYLOAD = udp({ data: new Uint8Array(4) });
const fate = (frame: Uint8Array): string => fateOfFrame(frame).kind;

it('looks through two tags, and cuts off what is behind the packet', () => {
  for (const vlans of [[], [{ id: 5 }], [{ id: 5 }, { id: 6 }]]) {
    for (const packet of [ipv4({}, PAYLOAD), ipv6({}, PAYLOAD)]) {
      const found = fateOfFrame(Uint8Array.from([...ethernet({ vlans }, packet), 1, 2, 3]));
      expect(found).toMatchObject({ kind: 'packet', place: 14 + 4 * vlans.length });
      expect(found.kind === 'packet' && [...found.bytes]).toEqual([...packet]);
    }
  }
  expect(fate(ethernet({ vlans: [{ id: 1 }, { id: 2 }, { id: 3 }] }, ipv4({}, PAYLOAD)))).toBe('drop');
});

it('drops what the stack would throw away as malformed, and lets pass what is no IP', () => {
  expect(fate(ethernet({ type: 0x0806 }, new Uint8Array(28)))).toBe('pass');
  expect(fate(ethernet({}, ipv4({ checksum: 'bad' }, PAYLOAD)))).toBe('drop');
  expect(fate(ethernet({}, ipv4({ ihl: 4 }, PAYLOAD)))).toBe('drop');
  expect(fate(ethernet({}, ipv4({ totalLength: 500 }, PAYLOAD)))).toBe('drop');
  expect(fate(ethernet({}, ipv4({ totalLength: 19 }, PAYLOAD)))).toBe('drop');
  expect(fate(ethernet({ type: 0x86dd }, ipv4({}, PAYLOAD)))).toBe('drop');
  expect(fate(ethernet({}, ipv6({ payloadLength: 500 }, PAYLOAD)))).toBe('drop');
  expect(fate(ethernet({}, ipv4({}, PAYLOAD)).subarray(0, 30))).toBe('drop');
});
