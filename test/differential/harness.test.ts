/** The harness itself: two equal firewalls are found equal, two different ones different. */
import { expect, it } from 'vitest';
import { type FirewallKind, kernelFirewall, type RuleSets } from '../support/firewalls.ts';
import { NAMESPACES, suite } from '../support/suite.ts';
import { compare } from './bisect.ts';
import { captureStimuli, localCaptureStimuli } from './captures.ts';
import { corpusFiles, deviceNames } from './corpus.ts';
import { nastyStimuli } from './nasties.ts';
import { FORWARD, frameAround, INPUT, type Phase } from './stimulus.ts';

const RULES: RuleSets = {
  ipv4: `*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -m conntrack --ctstate NEW
-A INPUT -m conntrack --ctstate INVALID
-A INPUT -m mark --mark 7 -j DROP
-A INPUT -p udp --dport 53 -j REJECT
-A FORWARD -p tcp --dport 22 --tcp-option 8
-A FORWARD -p tcp --dport 22 -j ACCEPT
-A FORWARD -p icmp -j ACCEPT
-A FORWARD -j REJECT
-A OUTPUT -m owner --uid-owner 1000 -j DROP
COMMIT
`,
  ipv6: `*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -p tcp -j REJECT --reject-with tcp-reset
-A FORWARD -p tcp --dport 22 -j ACCEPT
-A FORWARD -j REJECT
-A OUTPUT -p udp -j DROP
COMMIT
`,
};

/** iptables with one rule changed behind the harness's back. */
const wrong: FirewallKind = {
  label: 'iptables, one port wrong',
  open(namespace) {
    const right = kernelFirewall.open(namespace);
    const change = (text: string): string => text.replace('--dport 22 -j', '--dport 80 -j');
    return {
      ...right,
      apply: (sets) => right.apply({ ipv4: change(sets.ipv4 ?? ''), ipv6: sets.ipv6 ?? '' }),
      save: (family) => right.save(family).replace('--dport 80 -j', '--dport 22 -j'),
    };
  },
};

const devices = ['eth0', 'eth1'];

suite('the harness with iptables on both sides', [...NAMESPACES, 'shared'], () => {
  const same = { left: kernelFirewall, right: kernelFirewall, devices };

  it('finds nasty packets treated equally', () => {
    const phases: Phase[] = [
      { path: FORWARD, stimuli: nastyStimuli(devices.length) },
      { path: INPUT, stimuli: nastyStimuli(devices.length) },
    ];
    expect(compare(RULES, phases, same)).toBeUndefined();
  });

  it('finds captured packets treated equally', () => {
    const phases: Phase[] = [
      { path: FORWARD, stimuli: captureStimuli(devices.length) },
      { path: INPUT, stimuli: [...captureStimuli(devices.length), ...localCaptureStimuli()] },
    ];
    expect(compare(RULES, phases, same)).toBeUndefined();
  });

  it('reports a difference with the rule and the packet', () => {
    const report = compare(RULES, [{ path: FORWARD, stimuli: nastyStimuli(devices.length) }], {
      ...same,
      right: wrong,
    });
    expect(report).toContain('differs after 1 of');
    expect(report).toContain('--dport 22 -j ACCEPT');
    expect(report).toContain('forward by 1, frame on link');
  });

  it('loads every rule set that the kernel accepts, on devices with the names it uses', () => {
    for (const file of corpusFiles().filter((candidate) => candidate.accepted)) {
      const stimuli = nastyStimuli(2).slice(0, 100);
      const options = { ...same, devices: deviceNames(file.text) };
      expect(compare({ [file.family]: file.text }, [{ path: FORWARD, stimuli }], options), file.name).toBeUndefined();
    }
  });

  it('sets marks and users', () => {
    const { packet } = nastyStimuli(1).find((stimulus) => stimulus.kind === 'local') as { packet: Uint8Array };
    const frame = frameAround(packet, Uint8Array.of(2, 0xbf, 0, 0, 0, 0), { source: Uint8Array.of(2, 0, 0, 0, 7, 7) });
    const phases: Phase[] = [
      {
        path: INPUT,
        stimuli: [
          { kind: 'frame', device: 0, frame, mark: 7 },
          { kind: 'local', family: 'ipv4', packet, uid: 1000, gid: 1000 },
        ],
      },
    ];
    expect(compare(RULES, phases, same)).toBeUndefined();
  });
});
