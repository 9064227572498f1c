import { describe, expect, it } from 'vitest';
import { changeMarks, type MarkChange } from './effect.ts';
import { type ConntrackView, packetView } from './packet-view.ts';

const tuple = { saddr: 0n, daddr: 0n, sport: 0, dport: 0 };
const entry = (mark: number): ConntrackView => ({
  status: 0,
  mark,
  expires: 0,
  protonum: 6,
  original: tuple,
  reply: tuple,
});

describe('changes of marks', () => {
  it.each<[MarkChange, number, number]>([
    [{ kind: 'mark', mask: 0xff, value: 0x12 }, 0xabcdef12, 0x1234],
    [{ kind: 'mark', mask: 0, value: 0x80000000 }, 0x2bcdef01, 0x1234],
    [{ kind: 'connmark', mask: 0xff, value: 1, shift: 0 }, 0xabcdef01, 0x1201],
    [{ kind: 'connmark', mask: 0xff, value: 1, shift: 4 }, 0xabcdef01, 0x12010],
    [{ kind: 'connmark', mask: 0, value: 0xf0000000, shift: -28 }, 0xabcdef01, 0xf],
    [{ kind: 'save', nfmask: 0xff00, ctmask: 0xff, shift: -8 }, 0xabcdef01, 0x12ef],
    [{ kind: 'save', nfmask: 0xffffffff, ctmask: 0xffffffff, shift: 8 }, 0xabcdef01, 0xcdef0100],
    [{ kind: 'restore', nfmask: 0xff, ctmask: 0xff00, shift: -8 }, 0xabcdef12, 0x1234],
  ])('%j', (change, mark, connmark) => {
    const after = changeMarks(
      packetView({ family: 'ipv4', bytes: new Uint8Array(0), mark: 0xabcdef01, ct: entry(0x1234) }),
      change,
    );
    expect({ mark: after.mark, connmark: after.ct?.mark }).toEqual({ mark, connmark });
  });

  it('without a conntrack entry only MARK changes anything', () => {
    const packet = packetView({ family: 'ipv4', bytes: new Uint8Array(0), mark: 5 });
    expect(changeMarks(packet, { kind: 'restore', nfmask: 0xff, ctmask: 0xff, shift: 0 })).toEqual(packet);
    expect(changeMarks(packet, { kind: 'mark', mask: 0xff, value: 6 }).mark).toBe(6);
  });
});
