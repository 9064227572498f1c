/** A packet that a LOG or NFLOG rule reported: everything the kernel's LOG line shows, independent of how it was carried. */

import type { Family } from '../../packet/netfilter.ts';

export interface LoggedPacket {
  readonly family: Family;
  readonly prefix: string;
  /** XT_LOG_* bits; see LOG_FLAGS. */
  readonly flags: number;
  /** Device names; empty: none. */
  readonly inDevice: string;
  readonly outDevice: string;
  /** The link-layer header; absent when the packet has no input device, empty when it has a device but no header. */
  readonly mac?: LinkHeader;
  /** Bytes from the IP header on, as many as were captured. */
  readonly bytes: Uint8Array;
  /** skb->len: the length from the IP header on, captured or not. */
  readonly length: number;
  readonly mark: number;
  /** Owner of the sending socket; absent when it has none. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

export interface LinkHeader {
  /** ARPHRD_*. */
  readonly type: number;
  readonly bytes: Uint8Array;
}

/** XT_LOG_* (include/uapi/linux/netfilter/xt_LOG.h). */
export const LOG_FLAGS = { tcpSequence: 0x01, tcpOptions: 0x02, ipOptions: 0x04, uid: 0x08, macDecode: 0x20 } as const;

/** A window on the packet: `length` is how far the packet reaches, `bytes` how much of that can be read. */
export interface Window {
  readonly bytes: Uint8Array;
  readonly length: number;
}

/** The bytes [offset, offset + size) as a DataView, or undefined when they are not all there (skb_header_pointer). */
export function header(window: Window, offset: number, size: number): DataView | undefined {
  if (offset + size > Math.min(window.length, window.bytes.length)) return undefined;
  return new DataView(window.bytes.buffer, window.bytes.byteOffset + offset, size);
}

/** What the kernel writes when less than a header is left. */
export function incomplete(window: Window, offset: number): string {
  return `INCOMPLETE [${(window.length - offset) >>> 0} bytes] `;
}

export function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

/** Two upper-case digits for each byte, as the kernel prints options. */
export function hexBytes(view: DataView): string {
  let text = '';
  for (let i = 0; i < view.byteLength; i++) text += hex(view.getUint8(i), 2).toUpperCase();
  return text;
}
