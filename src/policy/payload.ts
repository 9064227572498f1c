import type { PayloadTest } from './ir.ts';
import { type PacketView, transportOf } from './packet-view.ts';

/** The bytes that a test asks about, as a big-endian number; 0 when not all of them are in the packet. */
export function readPayload(packet: PacketView, where: Pick<PayloadTest, 'base' | 'offset' | 'bits'>): bigint {
  const start = (where.base === 'transport' ? transportOf(packet).offset : 0) + where.offset;
  const bytes = packet.bytes.subarray(start, start + where.bits / 8);
  if (bytes.length < where.bits / 8) return 0n;
  return bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}
