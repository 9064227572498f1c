/** The whole LOG line of a packet, as the kernel's nf_log_syslog writes it (without its level and time). */

import { ipv4Part } from './ipv4.ts';
import { ipv6Part } from './ipv6.ts';
import { hex, type LinkHeader, LOG_FLAGS, type LoggedPacket } from './packet.ts';

const ARPHRD_ETHER = 1;

/** One line, without a line end. Like the kernel's, it ends with a space. */
export function formatLogLine(packet: LoggedPacket): string {
  const devices = `${packet.prefix}IN=${packet.inDevice} OUT=${packet.outDevice} `;
  const mac = packet.mac === undefined ? '' : macPart(packet.mac, packet.flags);
  const body = packet.family === 'ipv4' ? ipv4Part : ipv6Part;
  const { text, stop } = body(packet, 0, packet.flags, false);
  const line = devices + mac + text;
  if (stop) return line;

  const owner = packet.flags & LOG_FLAGS.uid ? packet.owner : undefined;
  const uid = owner === undefined ? '' : `UID=${owner.uid} GID=${owner.gid} `;
  const mark = packet.mark === 0 ? '' : `MARK=0x${packet.mark.toString(16)} `;
  return line + uid + mark;
}

function macPart(link: LinkHeader, flags: number): string {
  const { bytes } = link;
  if (flags & LOG_FLAGS.macDecode && link.type === ARPHRD_ETHER && bytes.length >= 14) {
    const protocol = ((bytes[12] ?? 0) << 8) | (bytes[13] ?? 0);
    return `MACSRC=${colons(bytes.subarray(6, 12))} MACDST=${colons(bytes.subarray(0, 6))} MACPROTO=${hex(protocol, 4)} `;
  }
  return `MAC=${colons(bytes)} `;
}

function colons(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => hex(byte, 2)).join(':');
}
