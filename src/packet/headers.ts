/**
 * Where the fields of packet headers lie: [first bit, width in bits], counted from the first bit of the header as the
 * RFCs draw it. Read by the crafting and by the describing side.
 */

export const HEADERS = {
  ethernet: { destination: [0, 48], source: [48, 48], type: [96, 16] },
  vlan: { priority: [0, 3], dropEligible: [3, 1], id: [4, 12], type: [16, 16] },
  ipv4: {
    version: [0, 4],
    ihl: [4, 4],
    tos: [8, 8],
    totalLength: [16, 16],
    id: [32, 16],
    reserved: [48, 1],
    dontFragment: [49, 1],
    moreFragments: [50, 1],
    fragmentOffset: [51, 13],
    ttl: [64, 8],
    protocol: [72, 8],
    checksum: [80, 16],
    source: [96, 32],
    destination: [128, 32],
  },
  ipv6: {
    version: [0, 4],
    trafficClass: [4, 8],
    flowLabel: [12, 20],
    payloadLength: [32, 16],
    nextHeader: [48, 8],
    hopLimit: [56, 8],
    source: [64, 128],
    destination: [192, 128],
  },
  /** Hop-by-hop, destination options, routing: `length` counts 8 bytes beyond the first 8. */
  extension: { nextHeader: [0, 8], length: [8, 8] },
  routing: { nextHeader: [0, 8], length: [8, 8], type: [16, 8], segmentsLeft: [24, 8] },
  fragment: {
    nextHeader: [0, 8],
    reserved: [8, 8],
    offset: [16, 13],
    reserved2: [29, 2],
    more: [31, 1],
    id: [32, 32],
  },
  /** `length` counts 4 bytes beyond the first 8. */
  ah: { nextHeader: [0, 8], length: [8, 8], reserved: [16, 16], spi: [32, 32], sequence: [64, 32] },
  esp: { spi: [0, 32], sequence: [32, 32] },
  tcp: {
    source: [0, 16],
    destination: [16, 16],
    sequence: [32, 32],
    acknowledgment: [64, 32],
    dataOffset: [96, 4],
    reserved: [100, 4],
    flags: [104, 8],
    window: [112, 16],
    checksum: [128, 16],
    urgent: [144, 16],
  },
  udp: { source: [0, 16], destination: [16, 16], length: [32, 16], checksum: [48, 16] },
  icmp: { type: [0, 8], code: [8, 8], checksum: [16, 16], rest: [32, 32] },
  sctp: { source: [0, 16], destination: [16, 16], tag: [32, 32], checksum: [64, 32] },
  dccp: { source: [0, 16], destination: [16, 16], dataOffset: [32, 8], coverage: [40, 8], checksum: [48, 16] },
} as const satisfies Record<string, Record<string, readonly [number, number]>>;

export type HeaderName = keyof typeof HEADERS;
export type HeaderFields<H extends HeaderName> = { readonly [F in keyof (typeof HEADERS)[H]]?: number | bigint };

/** Length of the fixed part of a header in bytes. */
export function headerLength(header: HeaderName): number {
  return Math.max(...Object.values(HEADERS[header]).map(([first, width]) => (first + width) / 8));
}

/** The fixed part of a header with these field values; what is not given is zero, what is too wide is cut. */
export function buildHeader<H extends HeaderName>(header: H, fields: HeaderFields<H>): Uint8Array {
  const bytes = new Uint8Array(headerLength(header));
  for (const [name, value] of Object.entries(fields) as [keyof (typeof HEADERS)[H], number | bigint | undefined][])
    if (value !== undefined) writeField(bytes, header, name, value);
  return bytes;
}

/** Writes one field into bytes that begin with the header. */
export function writeField<H extends HeaderName>(
  bytes: Uint8Array,
  header: H,
  field: keyof (typeof HEADERS)[H],
  value: number | bigint,
): void {
  const [first, width] = placeOf(header, field);
  let rest = BigInt(value);
  for (let bit = first + width - 1; bit >= first; bit--, rest >>= 1n) {
    const mask = 0x80 >> (bit & 7);
    bytes[bit >> 3] = (rest & 1n) === 1n ? bytes[bit >> 3]! | mask : bytes[bit >> 3]! & ~mask;
  }
}

/** Reads one field; undefined if the bytes end before it does. */
export function readHeaderField<H extends HeaderName>(
  bytes: Uint8Array,
  header: H,
  field: keyof (typeof HEADERS)[H],
): bigint | undefined {
  const [first, width] = placeOf(header, field);
  const last = first + width - 1;
  if (last >> 3 >= bytes.length) return undefined;
  let value = 0n;
  for (let at = first >> 3; at <= last >> 3; at++) value = (value << 8n) | BigInt(bytes[at]!);
  return (value >> BigInt(7 - (last & 7))) & ((1n << BigInt(width)) - 1n);
}

function placeOf<H extends HeaderName>(header: H, field: keyof (typeof HEADERS)[H]): readonly [number, number] {
  return (HEADERS[header] as Record<keyof (typeof HEADERS)[H], readonly [number, number]>)[field];
}
