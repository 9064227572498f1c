import { expect, it } from 'vitest';
import { kernelFirewall } from '../support/firewalls.ts';
import { suite, NAMESPACES } from '../support/suite.ts';
import { differences, runTwins } from './twin.ts';
import { frameAround, type Stimulus } from './stimulus.ts';

function ip4(proto: number, src: number[], dst: number[], payload: number[]): Uint8Array {
  const p = new Uint8Array(20 + payload.length);
  p.set([0x45, 0, 0, p.length, 0, 1, 0, 0, 64, proto, 0, 0, ...src, ...dst]);
  p.set(payload, 20);
  let s = 0; for (let i = 0; i < 20; i += 2) s += (p[i]! << 8) | p[i + 1]!;
  while (s > 0xffff) s = (s & 0xffff) + (s >> 16);
  p[10] = (~s >> 8) & 0xff; p[11] = ~s & 0xff;
  return p;
}
suite('self', NAMESPACES, () => {
  it('same', () => {
    const stimuli: Stimulus[] = [];
    for (let i = 0; i < 300; i++) {
      const udp = [0x12, 0x34, i >> 8, i & 255, 0, 8 + 4, 0, 0, 1, 2, 3, 4];
      const p = ip4(17, [10, 200, 0, 2], [10, 200, 1, 2], udp);
      stimuli.push({ kind: 'frame', device: i % 2, frame: frameAround(p, Uint8Array.of(2, 0xbf, 0, 0, 0, i % 2)) });
      stimuli.push({ kind: 'local', family: 'ipv4', packet: ip4(17, [10, 200, 0, 1], [10, 200, 0, 2], udp) });
    }
    const t0 = performance.now();
    const [a, b] = runTwins({ ipv4: `*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A FORWARD -p udp --dport 10:100 -j ACCEPT
-A FORWARD -p udp --dport 110:120 -j REJECT
-A OUTPUT -p udp --dport 10:100 -j DROP
-A INPUT -p udp --dport 100:120 -j REJECT
COMMIT
` }, [{ path: 'forward', stimuli }, { path: 'input', stimuli }], { left: kernelFirewall, right: kernelFirewall, devices: ['eth0', 'wan+'.replace('+', '0')] });
    console.log(performance.now() - t0, a.saved.ipv4, b.delivered, a.frames.length, a.sent.filter(x => x < 0).length);
    expect(differences(a, b)).toEqual([]);
  });
});
