import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildSmallLab, type SmallLab } from '../../test/support/small-lab.ts';
import { DIFFERENTIAL, suite } from '../../test/support/suite.ts';
import { withNamespace } from '../kernel/namespace.ts';
import { asUser, openPacketSocket, openStackSocket } from '../kernel/packet-socket.ts';

const NAME = `bffm${process.pid}`;
const ALL = '--log-tcp-sequence --log-tcp-options --log-ip-options --log-uid --log-macdecode';
const MAC = '02:77:00:00:00:02:02:77:00:00:00:01';
const DECODED = 'MACSRC=02:77:00:00:00:01 MACDST=02:77:00:00:00:02';

const RULES = `*raw
:PREROUTING ACCEPT [0:0]
-A PREROUTING -i f0 -j LOG --log-prefix "plain:"
-A PREROUTING -i f0 -j LOG --log-prefix "all:" ${ALL}
-A PREROUTING -i f0 -j DROP
COMMIT
`;
const OUTPUT_RULES = `*filter
:OUTPUT ACCEPT [0:0]
-A OUTPUT -o f0 -p udp -m udp --dport 9 -j LOG --log-prefix "out " --log-uid
-A OUTPUT -o f0 -p udp -m udp --dport 10 -j NFLOG --nflog-prefix "n " --nflog-group 3
COMMIT
*mangle
:OUTPUT ACCEPT [0:0]
-A OUTPUT -j MARK --set-xmark 0xabc/0xffffffff
COMMIT
`;

/** What the kernel's LOG wrote for these packets (see firewall/log/line.test.ts). */
const KERNEL_LINES = readFileSync(new URL('../firewall/log/kernel-lines.tsv', import.meta.url), 'utf8')
  .split('\n')
  .slice(1)
  .filter((line) => line !== '')
  .map((line) => line.split('\t') as [string, string, string, string, string]);

suite('monitor', DIFFERENTIAL, () => {
  let lab: SmallLab;
  let directory: string;

  beforeAll(() => {
    process.env['XTABLES_LOCKFILE'] = `/run/${NAME}.lock`;
    directory = mkdtempSync(join(tmpdir(), 'bff-'));
    lab = buildSmallLab(NAME);
  });
  afterAll(async () => {
    await lab?.close();
    rmSync(directory, { recursive: true, force: true });
    rmSync(`/run/${NAME}.lock`, { force: true });
  });

  const apply = async (family: '-4' | '-6', text: string): Promise<void> => {
    const path = join(directory, 'rules');
    writeFileSync(path, text);
    expect(await lab.bpfilter('apply', family, path)).toMatchObject({ status: 0, stderr: '' });
  };

  it.each(['ipv4', 'ipv6'])('%s packets give the lines that the kernel wrote for them', async (family) => {
    const etherType = family === 'ipv4' ? '0800' : '86dd';
    const cases = KERNEL_LINES.filter((item) => item[1] === family);
    await apply(family === 'ipv4' ? '-4' : '-6', RULES);
    const monitor = lab.bpfilter('monitor', '-n', String(2 * cases.length));
    const socket = openSender();
    for (const [, , hex] of cases) {
      socket.send(Buffer.from(`${MAC.replaceAll(':', '')}${etherType}${hex}`, 'hex'));
    }
    socket.close();
    const lines = (await monitor).stdout.split('\n').slice(0, -1);
    const expected = cases.flatMap(([, , , plain, all]) => [
      `plain:IN=f0 OUT= MAC=${MAC}:${etherType.slice(0, 2)}:${etherType.slice(2)} ${plain}`,
      `all:IN=f0 OUT= ${DECODED} MACPROTO=${etherType} ${all}`,
    ]);
    expect(lines).toEqual(expected);
    await lab.bpfilter('flush');
  });

  it('shows owner and mark of what is sent, and NFLOG without options', async () => {
    await apply('-4', OUTPUT_RULES);
    const monitor = lab.bpfilter('monitor', '-n', '2');
    const socket = withNamespace(NAME, () => asUser(12345, 54321, () => openStackSocket('ipv4', 'udp')));
    for (const port of [9, 10]) socket.sendTo(Uint8Array.of(1, 2, 3, 4), Uint8Array.of(10, 77, 0, 1), port);
    socket.close();
    const [log, nflog] = (await monitor).stdout.split('\n');
    expect(log).toMatch(
      /^out IN= OUT=f0 SRC=10\.77\.0\.2 DST=10\.77\.0\.1 LEN=32 TOS=0x00 PREC=0x00 TTL=64 ID=\d+ DF PROTO=UDP SPT=\d+ DPT=9 LEN=12 UID=12345 GID=54321 MARK=0xabc $/,
    );
    expect(nflog).toMatch(/^n IN= OUT=f0 SRC=.* DPT=10 LEN=12 MARK=0xabc $/);
  });

  it('follows when rules are flushed and applied again; a second monitor is refused', async () => {
    await lab.bpfilter('flush');
    const monitor = lab.bpfilter('monitor', '-n', '1');
    expect(await lab.bpfilter('monitor')).toMatchObject({ status: 4, stdout: '' });
    await apply('-4', RULES);
    await new Promise((resolve) => setTimeout(resolve, 700));
    lab.send(1000, 1);
    expect((await monitor).stdout).toMatch(/^plain:IN=f0 .*DPT=1000/);
    expect((await monitor).stderr).toContain('nothing is in force here yet; waiting');
  });

  function openSender() {
    return withNamespace(lab.peer, () => openPacketSocket({ ifindex: peerIndex(), protocol: 0 }));
  }

  function peerIndex(): number {
    return Number(/^\d+/.exec(lab.outside('ip', '-o', 'link', 'show', 'p0'))?.[0]);
  }
});
