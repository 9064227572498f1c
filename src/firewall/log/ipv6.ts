/** The IPv6 part of a LOG line (dump_ipv6_packet in net/netfilter/nf_log_syslog.c). */

import { header, hex, incomplete, LOG_FLAGS, type Window } from './packet.ts';
import { type Piece, tcpPart, udpPart } from './transport.ts';

const NEXT = { hopByHop: 0, routing: 43, fragment: 44, esp: 50, ah: 51, none: 59, destination: 60 } as const;
const ICMP6 = { echoRequest: 128, echoReply: 129, packetTooBig: 2, parameterProblem: 4 } as const;

/** As ipv4Part. */
export function ipv6Part(window: Window, offset: number, flags: number, inner: boolean): Piece {
  const ip = header(window, offset, 40);
  if (ip === undefined) return { text: 'TRUNCATED', stop: true };
  const first = ip.getUint32(0);
  const base =
    `SRC=${full(ip, 8)} DST=${full(ip, 24)} LEN=${ip.getUint16(4) + 40} TC=${(first >>> 20) & 0xff} ` +
    `HOPLIMIT=${ip.getUint8(7)} FLOWLBL=${first & 0xfffff} `;
  const walk = walkExtensions(window, offset + 40, ip.getUint8(6), flags);
  if (walk.kind === 'end') return { text: base + walk.text, stop: true };
  const protocol = protocolPart(window, walk.offset, walk.protocol, walk.later, flags, inner);
  return { text: base + walk.text + protocol.text, stop: protocol.stop };
}

type Walk =
  | { readonly kind: 'end'; readonly text: string }
  | {
      readonly kind: 'protocol';
      readonly text: string;
      readonly protocol: number;
      readonly offset: number;
      readonly later: boolean;
    };

/** Walks the extension headers; with --log-ip-options each is shown in parentheses. */
function walkExtensions(window: Window, start: number, first: number, flags: number): Walk {
  const show = (flags & LOG_FLAGS.ipOptions) !== 0;
  let text = '';
  let offset = start;
  let protocol = first;
  let later = false;
  const end = (more: string): Walk => ({ kind: 'end', text: text + more });

  while (isExtension(protocol)) {
    const extension = header(window, offset, 2);
    if (extension === undefined) return end('TRUNCATED');
    if (show) text += 'OPT ( ';
    let size = (extension.getUint8(1) + 1) * 8;
    switch (protocol) {
      case NEXT.fragment: {
        text += 'FRAG:';
        const fragment = header(window, offset, 8);
        if (fragment === undefined) return end('TRUNCATED ');
        const place = fragment.getUint16(2);
        text += `${place & 0xfff8} ${place & 1 ? 'INCOMPLETE ' : ''}ID:${hex(fragment.getUint32(4), 8)} `;
        if (place & 0xfff8) later = true;
        size = 8;
        break;
      }
      case NEXT.ah: {
        if (show) {
          text += 'AH ';
          if (later) return end(')');
          const ah = header(window, offset, 12);
          if (ah === undefined) return end(`${incomplete(window, offset)})`);
          text += `SPI=0x${ah.getUint32(4).toString(16)} `;
        }
        size = (extension.getUint8(1) + 2) * 4;
        break;
      }
      case NEXT.esp: {
        if (!show) return end('');
        text += 'ESP ';
        if (later) return end(')');
        const esp = header(window, offset, 8);
        if (esp === undefined) return end(`${incomplete(window, offset)})`);
        return end(`SPI=0x${esp.getUint32(0).toString(16)} )`);
      }
      default:
        if (later) return end(show ? ')' : '');
    }
    if (show) text += ') ';
    protocol = extension.getUint8(0);
    offset += size;
  }
  return { kind: 'protocol', text, protocol, offset, later };
}

function isExtension(protocol: number): boolean {
  return protocol !== NEXT.none && (Object.values(NEXT) as number[]).includes(protocol);
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
    case 58:
      return icmp6Part(window, offset, later, flags, inner);
    default:
      return { text: `PROTO=${protocol} `, stop: false };
  }
}

function icmp6Part(window: Window, offset: number, later: boolean, flags: number, inner: boolean): Piece {
  const name = 'PROTO=ICMPv6 ';
  if (later) return { text: name, stop: false };
  const icmp = header(window, offset, 8);
  if (icmp === undefined) return { text: name + incomplete(window, offset), stop: true };
  const type = icmp.getUint8(0);
  let text = `${name}TYPE=${type} CODE=${icmp.getUint8(1)} `;
  if (type === ICMP6.echoRequest || type === ICMP6.echoReply) {
    text += `ID=${icmp.getUint16(4)} SEQ=${icmp.getUint16(6)} `;
  }
  if (type === ICMP6.parameterProblem) text += `POINTER=${hex(icmp.getUint32(4), 8)} `;
  if (type >= 1 && type <= 4) {
    if (!inner) text += `[${ipv6Part(window, offset + 8, flags, true).text}] `;
    if (type === ICMP6.packetTooBig) text += `MTU=${icmp.getUint32(4)} `;
  }
  return { text, stop: false };
}

/** All eight groups with four digits each (%pI6). */
function full(view: DataView, at: number): string {
  return [0, 1, 2, 3, 4, 5, 6, 7].map((i) => hex(view.getUint16(at + 2 * i), 4)).join(':');
}
