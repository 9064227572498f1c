/**
 * Netlink messages and attributes as bytes: numbers in data tables, values by name.
 *
 *     message     u32 length, u16 type, u16 flags, u32 sequence, u32 port | u8 family, u8 version, be16 resource | attributes
 *     attribute   u16 length (with these four bytes), u16 type | value | padding to 4
 */

type AttributeKind = 'u8' | 'be32' | 'be64' | 'string' | 'bytes' | 'nested';
/** Attributes of one object: name to number and kind. */
export type AttributeTable = Readonly<Record<string, readonly [number: number, kind: AttributeKind]>>;

interface ValueOf {
  u8: number;
  be32: number;
  be64: bigint;
  string: string;
  bytes: Uint8Array;
  nested: Uint8Array;
}
export type AttributeValues<T extends AttributeTable> = {
  readonly [N in keyof T]?: ValueOf[T[N][1]];
};

const NLA_F_NESTED = 0x8000;
const HEADER = 4;
const padded = (length: number): number => (length + 3) & ~3;

/** Attributes in the order of `values`, padded and joined. Numbers are big endian, as nf_tables wants them. */
export function attributes<T extends AttributeTable>(table: T, values: AttributeValues<T>): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [name, value] of Object.entries<number | bigint | string | Uint8Array | undefined>(values)) {
    const entry = table[name];
    if (entry !== undefined && value !== undefined) parts.push(attribute(entry[0], entry[1], value));
  }
  return Buffer.concat(parts);
}

function attribute(type: number, kind: AttributeKind, value: number | bigint | string | Uint8Array): Uint8Array {
  const payload = encodeValue(kind, value);
  const bytes = new Uint8Array(padded(HEADER + payload.length));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, HEADER + payload.length, true);
  view.setUint16(2, kind === 'nested' ? type | NLA_F_NESTED : type, true);
  bytes.set(payload, HEADER);
  return bytes;
}

function encodeValue(kind: AttributeKind, value: number | bigint | string | Uint8Array): Uint8Array {
  switch (kind) {
    case 'u8':
      return Uint8Array.of(value as number);
    case 'be32': {
      const bytes = Buffer.alloc(4);
      new DataView(bytes.buffer, bytes.byteOffset).setInt32(0, value as number);
      return bytes;
    }
    case 'be64': {
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64BE(value as bigint);
      return bytes;
    }
    case 'string':
      return Buffer.from(`${value as string}\0`, 'utf8');
    case 'bytes':
    case 'nested':
      return value as Uint8Array;
  }
}

/** The attributes of `bytes` by number; the last of a kind wins. */
export function parseAttributes(bytes: Uint8Array): ReadonlyMap<number, Uint8Array> {
  return new Map(listAttributes(bytes));
}

/** The attributes of `bytes` with their numbers, in order. */
export function listAttributes(bytes: Uint8Array): [number, Uint8Array][] {
  const found: [number, Uint8Array][] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + HEADER <= bytes.length; ) {
    const length = view.getUint16(at, true);
    if (length < HEADER) break;
    found.push([view.getUint16(at + 2, true) & 0x3fff, bytes.subarray(at + HEADER, at + length)]);
    at += padded(length);
  }
  return found;
}

/** A zero-terminated string attribute. */
export function attributeText(value: Uint8Array | undefined): string | undefined {
  return value === undefined ? undefined : Buffer.from(value).toString('utf8').replace(/\0$/, '');
}

/** A big-endian s32 attribute. */
export function attributeS32(value: Uint8Array | undefined): number | undefined {
  return value === undefined || value.length < 4
    ? undefined
    : new DataView(value.buffer, value.byteOffset, value.byteLength).getInt32(0);
}

export const NLM_F = { REQUEST: 1, ACK: 4, DUMP: 0x300, CREATE: 0x400, EXCL: 0x200, APPEND: 0x800 } as const;

export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** struct nfgenmsg and attributes. */
  readonly payload: Uint8Array;
}

const MESSAGE_HEADER = 16;
/** sizeof(struct nfgenmsg): what stands before the attributes. */
export const NFGENMSG_BYTES = 4;

/** A message of nfnetlink. `resource` is struct nfgenmsg's res_id. */
export function nfnetlinkMessage(
  head: { type: number; flags: number; sequence: number; family: number; resource?: number },
  body: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const bytes = new Uint8Array(MESSAGE_HEADER + NFGENMSG_BYTES + padded(body.length));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MESSAGE_HEADER + NFGENMSG_BYTES + body.length, true);
  view.setUint16(4, head.type, true);
  view.setUint16(6, head.flags | NLM_F.REQUEST, true);
  view.setUint32(8, head.sequence, true);
  bytes[MESSAGE_HEADER] = head.family;
  view.setUint16(MESSAGE_HEADER + 2, head.resource ?? 0);
  bytes.set(body, MESSAGE_HEADER + NFGENMSG_BYTES);
  return bytes;
}

/** The messages of one datagram. */
export function parseMessages(datagram: Uint8Array): NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  for (let at = 0; at + MESSAGE_HEADER <= datagram.length; ) {
    const length = view.getUint32(at, true);
    if (length < MESSAGE_HEADER) break;
    messages.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      payload: datagram.subarray(at + MESSAGE_HEADER, at + length),
    });
    at += padded(length);
  }
  return messages;
}
