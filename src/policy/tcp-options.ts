import { type PacketView, readField, transportOf } from './packet-view.ts';

const TCP_HEADER = 20;

/** All option bytes that the data offset promises lie inside the packet. */
export function tcpOptionsReadable(packet: PacketView): boolean {
  return readField(packet, 'transport.length') >= readField(packet, 'tcp.headerLength');
}

/**
 * tcp_find_option of xt_tcp. Not how TCP reads options: end-of-list is one more option of one byte and does not stop the
 * search, a length of 0 steps one byte, and a length of 1 does too.
 */
export function hasTcpOption(packet: PacketView, option: number): boolean {
  const start = transportOf(packet).offset;
  const options = packet.bytes.subarray(start + TCP_HEADER, start + Number(readField(packet, 'tcp.headerLength')));
  let at = 0;
  while (at < options.length) {
    const kind = options[at]!;
    if (kind === option) return true;
    if (kind < 2 || at === options.length - 1) at++;
    else at += options[at + 1]! || 1;
  }
  return false;
}
