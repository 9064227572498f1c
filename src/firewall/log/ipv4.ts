/** The IPv4 part of a LOG line (dump_ipv4_packet in net/netfilter/nf_log_syslog.c). */

import { header, hex, hexBytes, incomplete, LOG_FLAGS, type Window } from './packet.ts';
import { ipsecPart, type Piece, tcpPart, udpPart } from './transport.ts';

const ICMP = { echoReply: 0, unreachable: 3, redirect: 5, echo: 8, parameterProblem: 12 } as const;
const FRAGMENTATION_NEEDED = 4;

/** How long an ICMP message of a type must be to be shown in full; types not listed are always. */
const ICMP_LENGTHS: Readonly<Record<number, number>> = {
  0: 4,
  3: 28,
  4: 28,
  5: 28,
  8: 4,
  11: 28,
  12: 28,
  13: 20,
  14: 20,
  17: 12,
  18: 12,
};
/** Error messages that carry the start of the packet they answer. */
const CARRIES_PACKET: readonly number[] = [3, 4, 5, 11];

/**
 * The packet at `offset`; `inner` for a packet within an ICMP message, which never shows a further one.
 * `stop`: the kernel ends its line here and says nothing of owner and mark.
 */
export function ipv4Part(window: Window, offset: number, flags: number, inner: boolean): Piece {
  const ip = header(window, offset, 20);
  if (ip === undefined) return { text: 'TRUNCATED', stop: true };
  const tos = ip.getUint8(1);
  const fragment = ip.getUint16(6);
  const size = (ip.getUint8(0) & 0xf) * 4;
  let text =
    `SRC=${dotted(ip, 12)} DST=${dotted(ip, 16)} LEN=${totalLength(ip, window, inner)} ` +
    `TOS=0x${upper(tos & 0x1e)} PREC=0x${upper(tos & 0xe0)} TTL=${ip.getUint8(8)} ID=${ip.getUint16(4)} `;
  if (fragment & 0x8000) text += 'CE ';
  if (fragment & 0x4000) text += 'DF ';
  if (fragment & 0x2000) text += 'MF ';
  if (fragment & 0x1fff) text += `FRAG:${fragment & 0x1fff} `;
  if (flags & LOG_FLAGS.ipOptions && size > 20) {
    const options = header(window, offset + 20, size - 20);
    if (options === undefined) return { text: `${text}TRUNCATED`, stop: true };
    text += `OPT (${hexBytes(options)}) `;
  }
  const protocol = protocolPart(window, offset + size, ip.getUint8(9), (fragment & 0x1fff) !== 0, flags, inner);
  return { text: text + protocol.text, stop: protocol.stop };
}

function protocolPart(
  window: Window,
  offset: number,
  protocol: number,
  later: boolean,
  flags: number,
  inner: boolean,
): Piece {
  switch (protocol) {
    case 6:
      return tcpPart(window, offset, later, flags);
    case 17:
    case 136:
      return udpPart(window, offset, later, protocol === 136);
    case 1:
      return { text: icmpPart(window, offset, later, flags, inner), stop: false };
    case 51:
      return { text: ipsecPart(window, offset, later, 'AH'), stop: false };
    case 50:
      return { text: ipsecPart(window, offset, later, 'ESP'), stop: false };
    default:
      return { text: `PROTO=${protocol} `, stop: false };
  }
}

function icmpPart(window: Window, offset: number, later: boolean, flags: number, inner: boolean): string {
  const name = 'PROTO=ICMP ';
  if (later) return name;
  const icmp = header(window, offset, 8);
  if (icmp === undefined) return name + incomplete(window, offset);
  const type = icmp.getUint8(0);
  const code = icmp.getUint8(1);
  let text = `${name}TYPE=${type} CODE=${code} `;
  if (window.length - offset < (ICMP_LENGTHS[type] ?? 0)) return text + incomplete(window, offset);

  if (type === ICMP.echo || type === ICMP.echoReply) text += `ID=${icmp.getUint16(4)} SEQ=${icmp.getUint16(6)} `;
  if (type === ICMP.parameterProblem) text += `PARAMETER=${icmp.getUint8(4)} `;
  if (type === ICMP.redirect) text += `GATEWAY=${dotted(icmp, 4)} `;
  if (CARRIES_PACKET.includes(type)) {
    if (!inner) text += `[${ipv4Part(window, offset + 8, flags, true).text}] `;
    if (type === ICMP.unreachable && code === FRAGMENTATION_NEEDED) text += `MTU=${icmp.getUint16(6)} `;
  }
  return text;
}

/** iph_totlen: an aggregate too long for the field has 0 there. */
function totalLength(ip: DataView, window: Window, inner: boolean): number {
  const length = ip.getUint16(2);
  return length === 0 && !inner && window.length > 0xffff ? window.length : length;
}

function dotted(view: DataView, at: number): string {
  return [0, 1, 2, 3].map((i) => view.getUint8(at + i)).join('.');
}

function upper(value: number): string {
  return hex(value, 2).toUpperCase();
}
