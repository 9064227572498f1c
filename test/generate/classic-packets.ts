/** Packets for classic BPF programs: what they load has the numbers they compare with, and those beside; cut behind each load. */

import { ipv4, ipv6 } from '../../src/packet/craft.ts';
import type { Family } from '../../src/packet/netfilter.ts';
import { icmp, tcp, udp } from '../../src/packet/transport.ts';
import { type ClassicScan, LOAD_MODE, LOAD_SIZES } from '../../src/policy/scan-classic.ts';

const FIXED = { ipv4: 20, ipv6: 40 } as const;
const MOST = 400;

export function classicPackets(family: Family, { program }: ClassicScan): readonly Uint8Array[] {
  const data = Uint8Array.from({ length: 60 }, (_, at) => (at * 7) & 255);
  const payloads = [
    tcp({ source: 1000, destination: 80, flags: 2, data }),
    tcp({ source: 80, destination: 22, flags: 18, options: Uint8Array.of(1, 1, 1, 1) }),
    udp({ source: 53, destination: 53, data }),
    icmp({ type: 8 }),
  ];
  const plain = payloads.flatMap((payload) =>
    family === 'ipv4'
      ? [ipv4({}, payload), ipv4({ options: new Uint8Array(8).fill(1) }, payload), ipv4({ fragmentOffset: 3 }, payload)]
      : [ipv6({}, payload), ipv6({ extensions: [{ kind: 'destination' }] }, payload)],
  );
  const constants = [...new Set(program.filter(([code]) => (code & 0x0f) === 0x05).map(([, , , k]) => k))];
  const loads = program.flatMap(([code, , , k]) => {
    const mode = code & 0xe0;
    if ((code & 0x06) !== 0) return [];
    if (mode === LOAD_MODE.msh) return [{ at: k, size: 1 }];
    const size = LOAD_SIZES[code & 0x18] ?? 4;
    if (mode === LOAD_MODE.abs) return [{ at: k, size }];
    return mode === LOAD_MODE.ind ? [k, k + 20, k + 24, k + 40].map((at) => ({ at: at >>> 0, size })) : [];
  });
  const [base] = plain;
  const changed = loads.flatMap(({ at, size }) =>
    constants.flatMap((constant) =>
      [constant - 1, constant, constant + 1].flatMap((value) =>
        at + size <= MOST ? [put(base!, at, size, value)] : [],
      ),
    ),
  );
  const cut = loads.flatMap(({ at, size }) =>
    [at, at + size - 1, at + size].flatMap((length) =>
      plain.slice(0, 2).map((packet) => shorten(family, packet, length)),
    ),
  );
  return [...plain, ...changed.slice(0, MOST), ...cut];
}

/** Never the version, nor the lengths: the kernel would not take the packet. */
function put(packet: Uint8Array, at: number, size: number, value: number): Uint8Array {
  const out = packet.slice();
  for (let i = 0; i < size; i++) {
    const place = at + i;
    if (place === 0 || (place >= 2 && place <= 5) || place >= out.length) continue;
    out[place] = Math.floor((value >>> 0) / 256 ** (size - 1 - i)) & 255;
  }
  return out;
}

function shorten(family: Family, packet: Uint8Array, length: number): Uint8Array {
  const out = packet.slice(0, Math.max(FIXED[family], Math.min(length, packet.length)));
  new DataView(out.buffer).setUint16(family === 'ipv4' ? 2 : 4, family === 'ipv4' ? out.length : out.length - 40);
  return out;
}
