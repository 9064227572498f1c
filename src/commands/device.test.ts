import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, it } from 'vitest';
import { run } from '../../test/support/command.ts';
import { earlyForeign } from '../../test/support/foreign-xdp.ts';
import { ADDRESS, buildSmallLab, type SmallLab } from '../../test/support/small-lab.ts';
import { DIFFERENTIAL, suite } from '../../test/support/suite.ts';
import { programsAtDevice } from '../kernel/device-link.ts';
import { withNamespace } from '../kernel/namespace.ts';
import { openPacketSocket, openStackSocket } from '../kernel/packet-socket.ts';
import { indexOfDevice } from '../kernel/rtnetlink.ts';
import { ETHERTYPE, ethernet, ipv4, ipv6 } from '../packet/craft.ts';
import type { DeviceKind } from '../packet/device-kind.ts';
import { icmp, udp } from '../packet/transport.ts';

const RULES = `*filter
:INPUT ACCEPT [0:0]
:web - [0:0]
-A INPUT -p udp -m udp --dport 7 -j DROP
-A INPUT -p udp -j web
-A web -p udp -m udp --dport 8:9 -j DROP
COMMIT
`;
const OTHER = RULES.replace('--dport 7', '--dport 17');

/** Ids of the programs on the filtered device. */
function attached(lab: SmallLab, kind: DeviceKind): string {
  if (kind === 'xdp') return /prog\/xdp id (\d+)/.exec(lab.inside('ip', '-d', 'link', 'show', 'f0'))?.[1] ?? '';
  return withNamespace(lab.namespace, () => programsAtDevice(kind, indexOfDevice('f0')).join(' '));
}

suite('apply --hook', DIFFERENTIAL, () => {
  const directory = mkdtempSync(join(tmpdir(), 'bpfilter-device-'));
  const file = join(directory, 'rules.v4');
  let lab: SmallLab;

  afterEach(() => lab.close());
  afterAll(() => rmSync(directory, { recursive: true }));

  it.each(['xdp', 'tc-ingress'] as const)('filters at %s, is replaced in place, and leaves nothing', async (kind) => {
    lab = buildSmallLab('wh-device');
    writeFileSync(file, RULES);
    const hook = `${kind}:f0`;
    const first = await lab.bpfilter('apply', '--hook', hook, file);
    expect(first.status, first.stderr).toBe(0);
    expect(first.stderr).toContain('differs-at-device');
    expect(first.stdout).toBe(`${hook}: filter INPUT, ipv4 3 rules\n`);
    const link = (): string => attached(lab, kind);
    expect(link()).not.toBe('');
    lab.send(7, 5, 32);
    lab.send(8, 4, 0);
    lab.send(10, 3, 8);
    const saved = await lab.bpfilter('save', '-c', '--hook', hook);
    expect(saved.stdout).toContain('[5:300] -A INPUT -p udp -m udp --dport 7 -j DROP');
    expect(saved.stdout).toContain('[7:220] -A INPUT -p udp -j web');
    expect(saved.stdout).toContain('[4:112] -A web -p udp -m udp --dport 8:9 -j DROP');
    expect(saved.stdout).toContain(':INPUT ACCEPT [3:108]');
    expect((await lab.bpfilter('list')).stdout).toContain(`${hook}  filter INPUT`);
    writeFileSync(file, OTHER);
    const program = link();
    expect((await lab.bpfilter('apply', '--hook', hook, file)).status).toBe(0);
    expect(link()).not.toBe(program);
    lab.send(7, 5, 32);
    expect((await lab.bpfilter('save', '-c', '--hook', hook)).stdout).toContain(
      '[0:0] -A INPUT -p udp -m udp --dport 17 -j DROP',
    );
    // Rules at netfilter come and go beside it.
    expect((await lab.bpfilter('apply', file)).status).toBe(0);
    expect(link()).not.toBe('');
    expect((await lab.bpfilter('flush')).status).toBe(0);
    expect(link()).toBe('');
    expect((await lab.bpfilter('list')).stdout).toBe('nothing is in force here\n');
  });

  it('changes packets at TC as the targets of the kernel do', async () => {
    lab = buildSmallLab('wh-device');
    writeFileSync(
      file,
      `*mangle
:PREROUTING ACCEPT [0:0]
-A PREROUTING -p udp -m udp --dport 7 -j TTL --ttl-set 9
-A PREROUTING -p udp -m udp --dport 7 -j DSCP --set-dscp 0x0a
-A PREROUTING -p udp -m udp --dport 7 -j MARK --set-xmark 0x12/0xff
-A PREROUTING -p udp -m udp --dport 8 -j TTL --ttl-dec 70
-A PREROUTING -p udp -m udp --dport 8 -j TOS --set-tos 0x10/0x3f
-A PREROUTING -m mark --mark 0x12
COMMIT
`,
    );
    const { status, stderr } = await lab.bpfilter(
      'apply',
      '--hook',
      'tc-ingress:f0',
      '--chain',
      'mangle/PREROUTING',
      file,
    );
    expect(status, stderr).toBe(0);
    expect(stderr).toBe('');
    run(
      'ip',
      ['netns', 'exec', lab.namespace, 'iptables-legacy-restore'],
      `*mangle
-A PREROUTING -p udp -m udp --dport 7 -m ttl --ttl-eq 9 -m dscp --dscp 0x0a -m mark --mark 0x12
-A PREROUTING -p udp -m udp --dport 8 -m ttl --ttl-eq 0 -m tos --tos 0x10/0xff
COMMIT
`,
      { XTABLES_LOCKFILE: '/run/wh.lock' },
    );
    const sockets = [lab.listen(7), lab.listen(8)];
    lab.send(7, 3);
    lab.send(8, 2);
    const counted = lab.inside('iptables-legacy-save', '-c', '-t', 'mangle');
    for (const socket of sockets) socket.close();
    expect(counted).toContain('[3:180] -A PREROUTING -p udp -m udp --dport 7');
    expect(counted).toContain('[2:120] -A PREROUTING -p udp -m udp --dport 8');
    expect((await lab.bpfilter('save', '-c', '--hook', 'tc-ingress:f0')).stdout).toContain(
      '[3:180] -A PREROUTING -m mark --mark 0x12',
    );
  });

  it.each(['tc-ingress', 'xdp'] as const)('knows connections at %s, and refuses others', async (kind) => {
    lab = buildSmallLab('wh-device');
    writeFileSync(
      file,
      `*filter
:INPUT DROP [0:0]
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p tcp -m conntrack --ctstate NEW -j REJECT --reject-with tcp-reset
-A INPUT -p udp -m conntrack --ctstate NEW -j REJECT
COMMIT
`,
    );
    const { status, stderr } = await lab.bpfilter('apply', '--hook', `${kind}:f0`, file);
    expect(status, stderr).toBe(0);
    expect(stderr).toContain('states of connections');
    // A question of this machine, and the answer to it.
    const server = withNamespace(lab.peer, () => openStackSocket('ipv4', 'udp'));
    server.bind(Uint8Array.of(0, 0, 0, 0), 53);
    const asking = lab.listen(4000);
    asking.sendTo(new Uint8Array(8), Uint8Array.of(10, 77, 0, 1), 53);
    server.sendTo(new Uint8Array(8), Uint8Array.of(10, 77, 0, 2), 4000);
    lab.send(9, 2);
    const saved = (await lab.bpfilter('save', '-c', '--hook', `${kind}:f0`)).stdout;
    expect(saved).toContain('[1:36] -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT');
    expect(saved).toContain('[2:120] -A INPUT -p udp -m conntrack --ctstate NEW -j REJECT');
    if (kind === 'tc-ingress') {
      const shell = `exec 3<>/dev/tcp/${ADDRESS.filtered}/80`;
      expect(() => lab.outside('timeout', '5', 'bash', '-c', shell)).toThrow(/refused/);
    }
    asking.close();
    server.close();
  });

  it.each([
    ['tc-ingress', 'ipv4'],
    ['tc-ingress', 'ipv6'],
    ['xdp', 'ipv4'],
    ['xdp', 'ipv6'],
  ] as const)('knows at %s what an error of %s tells of: ours, nobody, somebody else', async (kind, family) => {
    lab = buildSmallLab('wh-device');
    const [own, peer, third] =
      family === 'ipv4' ? [ADDRESS.filtered, ADDRESS.peer, '10.77.0.3'] : [ADDRESS.filtered6, ADDRESS.peer6, 'fd77::3'];
    const [protocol, option] = family === 'ipv4' ? ['icmp', '-4'] : ['ipv6-icmp', '-6'];
    const rules = ['RELATED', 'INVALID'].map((state) => `-A INPUT -p ${protocol} -m conntrack --ctstate ${state}\n`);
    writeFileSync(file, `*filter\n${rules.join('')}COMMIT\n`);
    expect((await lab.bpfilter('apply', option, '--hook', `${kind}:f0`, file)).status).toBe(0);
    lab.inside('conntrack', ...`-I -p udp -s ${own} -d ${peer} --sport 4000 --dport 53 -t 60`.split(' '));
    const packet = family === 'ipv4' ? ipv4 : ipv6;
    const header = family === 'ipv4' ? 20 : 40;
    const told = (source: string, port: number): Uint8Array =>
      packet({ source, destination: peer }, udp({ source: port, destination: 53 })).subarray(0, header + 8);
    const socket = withNamespace(lab.peer, () => openPacketSocket({ ifindex: indexOfDevice('p0') }));
    const tell = (type: number, data: Uint8Array): void => {
      const error = packet({ source: peer, destination: own }, icmp({ type, code: 1, data }));
      const frame = ethernet({ type: ETHERTYPE[family] }, error);
      frame.set([2, 0x77, 0, 0, 0, 2, 2, 0x77, 0, 0, 0, 1]);
      expect(socket.send(frame)).toBe(0);
    };
    const ours = told(own, 4000);
    const [unreachable, echo] = family === 'ipv4' ? [3, 8] : [1, 128];
    tell(unreachable, ours);
    tell(family === 'ipv4' ? 11 : 3, ours);
    tell(echo, ours);
    tell(unreachable, ours.subarray(0, header + 3));
    tell(unreachable, told(own, 4001));
    tell(unreachable, told(third, 4000));
    socket.close();
    const saved = (await lab.bpfilter('save', option, '-c', '--hook', `${kind}:f0`)).stdout;
    expect(saved).toMatch(/\[2:\d+\] -A INPUT .*--ctstate RELATED/);
    expect(saved).toMatch(/\[4:\d+\] -A INPUT .*--ctstate INVALID/);
  });

  it('refuses what it cannot do, with a place, and leaves the rules in force', async () => {
    lab = buildSmallLab('wh-device');
    writeFileSync(file, RULES);
    expect((await lab.bpfilter('apply', '--hook', 'tc-ingress:f0', file)).status).toBe(0);
    const before = attached(lab, 'tc-ingress');
    writeFileSync(file, RULES.replace('-A INPUT -p udp -j web', '-A INPUT -m owner --uid-owner 5 -j ACCEPT'));
    writeFileSync(file, RULES.replace('-A INPUT -p udp -j web', '-A INPUT -o eth0 -j web'));
    const parsed = await lab.bpfilter('apply', '--hook', 'tc-ingress:f0', file);
    expect(parsed.status).toBe(2);
    writeFileSync(file, RULES.replace('-A INPUT -p udp -j web', '-A INPUT -j LOG\n-A INPUT -p udp -j web'));
    const refused = await lab.bpfilter('apply', '--hook', 'tc-ingress:f0', file);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain(
      `${file}:5:1: error[not-at-device]: logging cannot be carried out at tc-ingress:f0`,
    );
    expect(refused.stderr).toContain('-A INPUT -j LOG\n^^^^');
    writeFileSync(file, RULES);
    expect((await lab.bpfilter('apply', '--strict', '--hook', 'tc-ingress:f0', file)).stderr).toContain(
      'error[differs-at-device]',
    );
    expect((await lab.bpfilter('check', '--strict', '--hook', 'xdp:eth7', file)).status).toBe(2);
    expect((await lab.bpfilter('check', '--hook', 'xdp:eth7', file)).status).toBe(0);
    expect((await lab.bpfilter('apply', '--hook', 'xdp:nowhere', file)).stderr).toContain('there is no network device');
    expect(attached(lab, 'tc-ingress')).toBe(before);
    lab.send(7, 2);
    expect((await lab.bpfilter('save', '-c', '--hook', 'tc-ingress:f0')).stdout).toContain(
      '[2:120] -A INPUT -p udp -m udp --dport 7 -j DROP',
    );
    // Somebody else's XDP program stays; several hooks are put into force together or not at all.
    const foreign = earlyForeign(lab.namespace, 'f0');
    const both = await lab.bpfilter('apply', '--hook', 'tc-ingress:f0,xdp:f0', file);
    expect(both.status).toBe(1);
    expect(both.stderr).toContain('xdp:f0: it has an XDP program already');
    expect(attached(lab, 'tc-ingress')).toBe(before);
    foreign.close();
    expect((await lab.bpfilter('apply', '--hook', 'tc-ingress:f0,xdp:f0,tc-egress:f0', file)).status).toBe(0);
    expect((await lab.bpfilter('flush', '--hook', 'xdp:f0')).status).toBe(0);
    expect(attached(lab, 'xdp')).toBe('');
    expect(attached(lab, 'tc-egress')).not.toBe('');
    expect((await lab.bpfilter('list', '--json')).stdout).toContain('"hook": "tc-egress:f0"');
    // The kernel's tables cannot take them over.
    expect(await lab.bpfilter('release')).toMatchObject({
      status: 0,
      stderr: expect.stringContaining('the policies on devices stay in force: tc-ingress:f0, tc-egress:f0 (') as string,
    });
    expect(attached(lab, 'tc-egress')).not.toBe('');
  });
});
