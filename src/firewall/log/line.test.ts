import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isFamily } from '../layout.ts';
import { formatLogLine } from './line.ts';
import { LOG_FLAGS, type LoggedPacket } from './packet.ts';

/**
 * kernel-lines.tsv: what the LOG target of Linux 6.18 wrote for these packets in PREROUTING, without options (`plain`)
 * and with every --log option (`all`), from the address on. Trailing spaces are the kernel's.
 */
const CASES = readFileSync(new URL('./kernel-lines.tsv', import.meta.url), 'utf8')
  .split('\n')
  .slice(1)
  .filter((line) => line !== '')
  .map((line) => {
    const [name = '', family = '', bytes = '', plain = '', all = ''] = line.split('\t');
    if (!isFamily(family)) throw new Error(`bad family ${family}`);
    return { name, family, bytes: Uint8Array.from(Buffer.from(bytes, 'hex')), plain, all };
  });

const ALL = Object.values(LOG_FLAGS).reduce((sum, bit) => sum | bit, 0);
const MAC = Uint8Array.of(2, 0, 0, 0, 0, 11, 2, 0, 0, 0, 0, 10, 8, 0);

function packet(over: Partial<LoggedPacket>): LoggedPacket {
  const bytes = over.bytes ?? new Uint8Array();
  return {
    family: 'ipv4',
    prefix: '',
    flags: 0,
    inDevice: '',
    outDevice: '',
    bytes,
    length: bytes.length,
    mark: 0,
    ...over,
  };
}

describe('lines as the kernel writes them', () => {
  it.each(CASES)('$family $name', ({ family, bytes, plain, all }) => {
    const mac = { type: 1, bytes: MAC };
    const base = { family, bytes, inDevice: 'eth0', mac };
    expect(formatLogLine(packet({ ...base, prefix: 'p:' }))).toBe(
      `p:IN=eth0 OUT= MAC=02:00:00:00:00:0b:02:00:00:00:00:0a:08:00 ${plain}`,
    );
    expect(formatLogLine(packet({ ...base, flags: ALL }))).toBe(
      `IN=eth0 OUT= MACSRC=02:00:00:00:00:0a MACDST=02:00:00:00:00:0b MACPROTO=0800 ${all}`,
    );
  });
});

describe('what surrounds the packet', () => {
  const udp = CASES.find((item) => item.family === 'ipv4' && item.name === 'udp');
  const base = { bytes: udp?.bytes ?? new Uint8Array(), outDevice: 'lo' };

  it('shows owner and mark after the packet, the owner only when asked', () => {
    const owner = { uid: 12345, gid: 54321 };
    const text = `IN= OUT=lo ${udp?.plain}`;
    expect(formatLogLine(packet({ ...base, owner, mark: 0xabc }))).toBe(`${text}MARK=0xabc `);
    expect(formatLogLine(packet({ ...base, owner, mark: 0xabc, flags: LOG_FLAGS.uid }))).toBe(
      `${text}UID=12345 GID=54321 MARK=0xabc `,
    );
  });

  it('has an empty MAC for an input device without a link-layer header', () => {
    const line = formatLogLine(
      packet({ ...base, inDevice: 'tun0', outDevice: '', mac: { type: 65534, bytes: new Uint8Array() } }),
    );
    expect(line).toBe(`IN=tun0 OUT= MAC= ${udp?.plain}`);
  });

  it('says TRUNCATED for less than an IP header and stops there', () => {
    expect(formatLogLine(packet({ ...base, bytes: new Uint8Array(19), mark: 1 }))).toBe('IN= OUT=lo TRUNCATED');
  });
});
