/**
 * Effects: what a target does that a program at a netfilter hook cannot do itself. The program records which effects a packet
 * has met, in order; the kernel's own table at the same priority carries them out.
 *
 * What an effect changes and a later rule of the same table asks for is not there yet when that rule runs. Marks are computed
 * (`MarkChange`); for everything else `writes` names it, and `effect-conflicts.ts` finds the rules that would ask.
 */

import type { Expr } from './ir.ts';
import type { PacketView } from './packet-view.ts';

export interface Effect {
  /** The target as iptables-save writes it, in words without quotes: `MARK`, `--set-xmark`, `0x1/0xffffffff`. */
  readonly target: readonly string[];
  /** What else the kernel wants to see in a rule with this target, as words: `-p`, `tcp`. */
  readonly needs: readonly string[];
  /** The packet does not come back to the rules behind it. */
  readonly terminal: boolean;
  /** Packets of which this holds end here: the target drops them. */
  readonly ends?: Expr;
  /** Packets of which this holds are LONGER bytes longer behind it, once, whatever comes further. */
  readonly lengthens?: Expr;
  /** What it does to marks. */
  readonly change?: MarkChange;
  /** Fields that it changes, whole (`ip.ttl`) or all that begin so (`ct.`); `bytes`: bytes of the packet. */
  readonly writes: readonly string[];
}

/** What MARK and CONNMARK do (mark_tg, connmark_tg_shift). All numbers are unsigned, of 32 bits. */
export type MarkChange =
  /** mark = (mark & ~mask) ^ value */
  | { readonly kind: 'mark'; readonly mask: number; readonly value: number }
  /** ctmark = shifted((ctmark & ~mask) ^ value) */
  | { readonly kind: 'connmark'; readonly mask: number; readonly value: number; readonly shift: number }
  /** ctmark = (ctmark & ~ctmask) ^ shifted(mark & nfmask) */
  | { readonly kind: 'save'; readonly nfmask: number; readonly ctmask: number; readonly shift: number }
  /** mark = (mark & ~nfmask) ^ shifted(ctmark & ctmask) */
  | { readonly kind: 'restore'; readonly nfmask: number; readonly ctmask: number; readonly shift: number };

/** Bytes of the MSS option that TCPMSS adds. */
export const LONGER = 4;

/** The most entries of a packet's list: its effects and one for the end of the traversal. */
export const MAX_LIST = 64;

/** `shift`: bits to the left; negative: to the right. */
function shifted(value: number, shift: number): number {
  return shift < 0 ? value >>> -shift : (value << shift) >>> 0;
}

/** The packet as later rules see its marks. Without a conntrack entry only MARK does anything. */
export function changeMarks(packet: PacketView, change: MarkChange): PacketView {
  const { mark, ct } = packet;
  if (change.kind === 'mark') return { ...packet, mark: ((mark & ~change.mask) ^ change.value) >>> 0 };
  if (ct === undefined) return packet;
  switch (change.kind) {
    case 'connmark': {
      const value = ((ct.mark & ~change.mask) ^ change.value) >>> 0;
      return { ...packet, ct: { ...ct, mark: shifted(value, change.shift) } };
    }
    case 'save': {
      const value = shifted((mark & change.nfmask) >>> 0, change.shift);
      return { ...packet, ct: { ...ct, mark: ((ct.mark & ~change.ctmask) ^ value) >>> 0 } };
    }
    case 'restore': {
      const value = shifted((ct.mark & change.ctmask) >>> 0, change.shift);
      return { ...packet, mark: ((mark & ~change.nfmask) ^ value) >>> 0 };
    }
  }
}
