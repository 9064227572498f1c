/** Packets for the scans of a rule, made whole: field values cannot say what a scan walks through. */

import type { Family } from '../../src/packet/netfilter.ts';
import type { Expr, PolicyRule } from '../../src/policy/ir.ts';
import type { Scan } from '../../src/policy/scan.ts';
import { classicPackets } from './classic-packets.ts';
import { extensionPackets, headerSetPackets } from './extension-packets.ts';
import { headerScanPackets } from './header-packets.ts';
import { textPackets } from './text-packets.ts';

/** For each different scan of the rule, packets that look at it from all sides. */
export function scanPackets(family: Family, rule: PolicyRule): readonly Uint8Array[] {
  const scans = rule.conditions.flatMap((condition) => (condition.kind === 'stateful' ? [] : scansOf(condition.expr)));
  return [...new Set(scans)].flatMap((scan) => packetsOf(family, scan));
}

function scansOf(expr: Expr): readonly Scan[] {
  switch (expr.kind) {
    case 'scan':
      return [expr.scan];
    case 'not':
      return scansOf(expr.expr);
    case 'all':
    case 'any':
      return expr.exprs.flatMap(scansOf);
    default:
      return [];
  }
}

function packetsOf(family: Family, scan: Scan): readonly Uint8Array[] {
  switch (scan.kind) {
    case 'extensionHeader':
      return extensionPackets(scan);
    case 'headerSet':
      return headerSetPackets();
    case 'classic':
      return classicPackets(family, scan);
    case 'text':
      return textPackets(family, scan);
    case 'u32':
    case 'tcpMss':
    case 'dccpOption':
    case 'sctpChunks':
      return headerScanPackets(family, scan);
  }
}
