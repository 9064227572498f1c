import { expect, it } from 'vitest';
import { kernelFirewall } from '../support/firewalls.ts';
import { NAMESPACES, suite } from '../support/suite.ts';
import { nasties, nastyFrames } from './nasties.ts';
import { frameAround, type Stimulus } from './stimulus.ts';
import { differences, runTwins } from './twin.ts';

suite('self', NAMESPACES, () => {
  it('same', () => {
    const stimuli: Stimulus[] = [];
    for (const f of ['ipv4', 'ipv6'] as const) {
      for (const { packet } of nasties(f)) {
        for (const device of [0, 1]) {
          stimuli.push({ kind: 'frame', device, frame: frameAround(packet, Uint8Array.of(2, 0xbf, 0, 0, 0, device)) });
        }
        stimuli.push({ kind: 'local', family: f, packet });
      }
    }
    for (const device of [0, 1]) {
      for (const { frame } of nastyFrames(Uint8Array.of(2, 0xbf, 0, 0, 0, device)))
        stimuli.push({ kind: 'frame', device, frame });
    }
    const t0 = performance.now();
    const rules = (six: boolean) => `*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A FORWARD -p udp --dport 10:100 -j ACCEPT
-A FORWARD -m conntrack --ctstate NEW
-A FORWARD -m conntrack --ctstate ESTABLISHED
-A FORWARD -m conntrack --ctstate RELATED
-A FORWARD -m conntrack --ctstate INVALID
-A FORWARD -p tcp --dport 22 --tcp-option 8
-A FORWARD -p tcp --dport 22 -j ACCEPT
-A FORWARD -p udp -j REJECT
-A FORWARD -p ${six ? 'icmpv6' : 'icmp'} -j ACCEPT
-A OUTPUT -p udp --dport 10:100 -j DROP
-A INPUT -p udp --dport 100:120 -j REJECT
-A INPUT -m conntrack --ctstate NEW
-A INPUT -m conntrack --ctstate ESTABLISHED
-A INPUT -m conntrack --ctstate RELATED
-A INPUT -m conntrack --ctstate INVALID
COMMIT
`;
    const [a, b] = runTwins(
      { ipv4: rules(false), ipv6: rules(true) },
      [
        { path: 'forward', stimuli },
        { path: 'input', stimuli },
      ],
      { left: kernelFirewall, right: kernelFirewall, devices: ['eth0', 'wan0'] },
    );
    console.log(
      performance.now() - t0,
      a.saved.ipv4,
      a.saved.ipv6,
      b.delivered,
      a.frames.length,
      stimuli.length,
      a.sent.filter((x) => x < 0).length,
    );
    expect(differences(a, b)).toEqual([]);
  });
});
