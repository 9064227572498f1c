/** Transport headers in LOG lines (nf_log_dump_tcp_header, nf_log_dump_udp_header in net/netfilter/nf_log_syslog.c). */

import { header, hex, hexBytes, incomplete, LOG_FLAGS, type Window } from './packet.ts';

/** A piece of the line; `stop`: the packet ended here and the kernel says nothing more of it. */
export interface Piece {
  readonly text: string;
  readonly stop: boolean;
}

/** Bits of bytes 12 and 13, in the kernel's order. AE was a reserved bit before Linux 6.17 (AccECN). */
const TCP_FLAGS = [
  [0x100, 'AE '],
  [0x80, 'CWR '],
  [0x40, 'ECE '],
  [0x20, 'URG '],
  [0x10, 'ACK '],
  [0x08, 'PSH '],
  [0x04, 'RST '],
  [0x02, 'SYN '],
  [0x01, 'FIN '],
] as const;

/** Source port ... urgent pointer, and options when asked for. `later`: a later fragment, which has no header. */
export function tcpPart(window: Window, offset: number, later: boolean, flags: number): Piece {
  const name = 'PROTO=TCP ';
  if (later) return { text: name, stop: false };
  const tcp = header(window, offset, 20);
  if (tcp === undefined) return { text: name + incomplete(window, offset), stop: true };

  const ports = `SPT=${tcp.getUint16(0)} DPT=${tcp.getUint16(2)} `;
  const sequence = flags & LOG_FLAGS.tcpSequence ? `SEQ=${tcp.getUint32(4)} ACK=${tcp.getUint32(8)} ` : '';
  const reserved = tcp.getUint8(12) & 0x0e;
  const bits = tcp.getUint16(12);
  const set = TCP_FLAGS.filter(([bit]) => bits & bit).map(([, text]) => text);
  const text = `${name}${ports}${sequence}WINDOW=${tcp.getUint16(14)} RES=0x${hex(reserved << 2, 2)} ${set.join('')}URGP=${tcp.getUint16(18)} `;

  const size = (tcp.getUint8(12) >> 4) * 4;
  if (!(flags & LOG_FLAGS.tcpOptions) || size <= 20) return { text, stop: false };
  const options = header(window, offset + 20, size - 20);
  if (options === undefined) return { text: `${text}OPT (TRUNCATED)`, stop: true };
  return { text: `${text}OPT (${hexBytes(options)}) `, stop: false };
}

/** UDP and UDP-Lite. */
export function udpPart(window: Window, offset: number, later: boolean, lite: boolean): Piece {
  const name = lite ? 'PROTO=UDPLITE ' : 'PROTO=UDP ';
  if (later) return { text: name, stop: false };
  const udp = header(window, offset, 8);
  if (udp === undefined) return { text: name + incomplete(window, offset), stop: true };
  return { text: `${name}SPT=${udp.getUint16(0)} DPT=${udp.getUint16(2)} LEN=${udp.getUint16(4)} `, stop: false };
}

/** AH and ESP of IPv4: the SPI, which lies at byte 4 and 0. */
export function ipsecPart(window: Window, offset: number, later: boolean, kind: 'AH' | 'ESP'): string {
  const name = `PROTO=${kind} `;
  // The kernel names ESP in later fragments, AH not.
  if (later) return kind === 'AH' ? '' : name;
  const view = header(window, offset, kind === 'AH' ? 12 : 8);
  if (view === undefined) return name + incomplete(window, offset);
  return `${name}SPI=0x${view.getUint32(kind === 'AH' ? 4 : 0).toString(16)} `;
}
