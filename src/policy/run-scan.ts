import type { PacketView } from './packet-view.ts';
import type { Scan, ScanOutcome } from './scan.ts';
import { scanClassic } from './scan-classic.ts';
import { scanDccpOption } from './scan-dccp-option.ts';
import { scanExtensionHeader } from './scan-extension.ts';
import { scanHeaderSet } from './scan-header-set.ts';
import { scanSctpChunks } from './scan-sctp-chunks.ts';
import { scanTcpMss } from './scan-tcp-mss.ts';
import { scanText } from './scan-text.ts';
import { scanU32 } from './scan-u32.ts';

/** What a scan finds in a packet. */
export function runScan(scan: Scan, packet: PacketView): ScanOutcome {
  switch (scan.kind) {
    case 'extensionHeader':
      return scanExtensionHeader(scan, packet.bytes);
    case 'headerSet':
      return scanHeaderSet(scan, packet.bytes);
    case 'classic':
      return scanClassic(scan, packet.bytes);
    case 'text':
      return scanText(scan, packet);
    case 'u32':
      return scanU32(scan, packet.bytes);
    case 'tcpMss':
      return scanTcpMss(scan, packet);
    case 'dccpOption':
      return scanDccpOption(scan, packet);
    case 'sctpChunks':
      return scanSctpChunks(scan, packet);
  }
}
