import { rmSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { run } from '../../test/support/command.ts';
import { buildSmallLab, type SmallLab } from '../../test/support/small-lab.ts';
import { DIFFERENTIAL, suite } from '../../test/support/suite.ts';

const NAME = `ab-adopt${process.pid}`;
const LOCK = { XTABLES_LOCKFILE: `/run/${NAME}.lock` };
const IP_AND_UDP = 28;

const FILTER = `*filter
:INPUT ACCEPT [7:700]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:user - [0:0]
[1:100] -A INPUT -p udp -m udp --dport 1000 -j user
[2:200] -A INPUT -p udp -m udp --dport 2000 -m comment --comment "two words" -j DROP
[3:300] -A user -s 10.77.0.1/32 -m recent --set --name seen --mask 255.255.255.255 --rsource -j ACCEPT
COMMIT
`;
const NAT = `*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
[0:0] -A POSTROUTING -o eth9 -j MASQUERADE
COMMIT
`;
const MANGLE = `*mangle
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
[5:500] -A PREROUTING -p udp -m udp --dport 1000 -j MARK --set-xmark 0x7/0xffffffff
[6:600] -A PREROUTING -p udp -m udp --dport 2000 -j TTL --ttl-set 9
COMMIT
`;
/** A rule that keeps its table with the kernel. */
const KEPT = `*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
[0:0] -A INPUT -m hashlimit --hashlimit-above 1000000/sec --hashlimit-burst 5 --hashlimit-mode srcport --hashlimit-name kept
[4:400] -A INPUT -p udp -m udp --dport 2000 -j DROP
COMMIT
`;

suite('adopt and release', DIFFERENTIAL, () => {
  let lab: SmallLab;
  beforeEach(() => {
    process.env['XTABLES_LOCKFILE'] = LOCK.XTABLES_LOCKFILE;
    lab = buildSmallLab(NAME);
  });
  afterEach(async () => {
    await lab.close();
    rmSync(LOCK.XTABLES_LOCKFILE, { force: true });
    delete process.env['XTABLES_LOCKFILE'];
  });

  const restore = (text: string, program = 'iptables-legacy-restore'): void =>
    void run('ip', ['netns', 'exec', NAME, program, '-c'], text, LOCK);
  const kernel = (table: string): string =>
    lab.inside('iptables-legacy-save', '-c', '-t', table).replace(/^#.*\n/gm, '');
  const tables = (): string => lab.inside('cat', '/proc/net/ip_tables_names');
  const counted = (text: string, rule: string): string => new RegExp(`\\[(\\S+)\\] -A ${rule}`).exec(text)?.[1] ?? '';
  const bytes = 10 * (32 + IP_AND_UDP);

  it('carries rules and counters over, leaves nat, makes no table, and comes back', async () => {
    restore(FILTER + NAT);
    lab.send(2000, 10);
    const adopted = await lab.bpfilter('adopt');
    expect(adopted).toMatchObject({ status: 0, stderr: '' });
    expect(kernel('filter')).toBe(
      '*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n',
    );
    expect(kernel('nat').replace(/\[\d+:\d+\]/g, '')).toBe(NAT.replace(/\[\d+:\d+\]/g, ''));
    expect(kernel('nat')).toContain(':PREROUTING ACCEPT [10:600]');
    expect(tables().split('\n').sort().join(' ').trim()).toBe('filter nat');
    const listener = lab.listen(2000);
    lab.send(2000, 10);
    expect(listener.receive()).toBeUndefined();
    listener.close();
    lab.send(1000, 10);
    const saved = (await lab.bpfilter('save', '-c')).stdout;
    expect(counted(saved, 'INPUT -p udp -m udp --dport 2000')).toBe(`22:${200 + 2 * bytes}`);
    expect(counted(saved, 'user ')).toBe(`13:${300 + bytes}`);
    expect(saved).toContain(':INPUT ACCEPT [7:700]');

    expect(await lab.bpfilter('release')).toMatchObject({ status: 0, stderr: '' });
    lab.send(2000, 10);
    const back = kernel('filter');
    expect(counted(back, 'INPUT -p udp -m udp --dport 2000')).toBe(`32:${200 + 3 * bytes}`);
    expect(back.replace(/\[\d+:\d+\]/g, '')).toBe(FILTER.replace(/\[\d+:\d+\]/g, ''));
    expect(back).toContain(':INPUT ACCEPT [7:700]');
    expect((await lab.bpfilter('save')).stdout).toBe('');
  });

  it('takes rules with effects over and gives them back', async () => {
    restore(MANGLE);
    expect(await lab.bpfilter('adopt', '-4')).toMatchObject({ status: 0, stderr: '' });
    lab.send(1000, 10);
    const saved = (await lab.bpfilter('save', '-c')).stdout;
    expect(counted(saved, 'PREROUTING -p udp -m udp --dport 1000')).toBe(`15:${500 + bytes}`);
    expect(await lab.bpfilter('release')).toMatchObject({ status: 0 });
    lab.send(2000, 10);
    const back = kernel('mangle');
    expect(back.replace(/\[\d+:\d+\]/g, '')).toBe(MANGLE.replace(/\[\d+:\d+\]/g, ''));
    expect(counted(back, 'PREROUTING -p udp -m udp --dport 1000')).toBe(`15:${500 + bytes}`);
    expect(counted(back, 'PREROUTING -p udp -m udp --dport 2000')).toBe(`16:${600 + bytes}`);
  });

  it('does not touch a table that stays with the kernel', async () => {
    restore(KEPT);
    const adopted = await lab.bpfilter('adopt');
    expect(adopted.status).toBe(0);
    expect(adopted.stderr).toContain('stays with the kernel');
    expect(kernel('filter')).toBe(KEPT);
    await lab.bpfilter('release');
    expect(kernel('filter')).toBe(KEPT);
  });

  it('adopts what iptables-nft keeps', async () => {
    restore(FILTER, 'iptables-nft-restore');
    expect(await lab.bpfilter('adopt')).toMatchObject({ status: 0 });
    const saved = (await lab.bpfilter('save', '-c')).stdout;
    expect(saved).toContain('[2:200] -A INPUT -p udp -m udp --dport 2000 -m comment --comment "two words" -j DROP');
    const nft = lab.inside('iptables-nft-save');
    expect(nft).not.toContain('-A ');
    expect(nft).not.toContain('DROP');
  });

  it('finishes what was interrupted, and refuses to mix rules', async () => {
    restore(FILTER);
    expect(await lab.bpfilter('adopt')).toMatchObject({ status: 0 });
    restore(FILTER);
    expect(await lab.bpfilter('adopt')).toMatchObject({ status: 0 });
    expect(kernel('filter')).not.toContain('-A');
    restore(FILTER.replace('2000', '2001'));
    const refused = await lab.bpfilter('adopt');
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain('release or flush the former first');
    expect((await lab.bpfilter('release')).stderr).toContain('rules of its own');
    expect(kernel('filter')).toContain('2001');
  });

  it('says when there is nothing', async () => {
    expect(await lab.bpfilter('adopt')).toMatchObject({
      status: 0,
      stderr: 'bpfilter adopt: there is nothing to adopt\n',
    });
    expect(await lab.bpfilter('release')).toMatchObject({
      status: 0,
      stderr: 'bpfilter release: no rules are in force\n',
    });
    expect(tables().trim()).toBe('');
  });
});
