import type { ValueType } from '../contract.ts';
import { bad, good, wrongKind } from './numbers.ts';

/** Bits of byte 13 of the TCP header, in the order in which iptables prints them. */
export const TCP_FLAG_BITS = { FIN: 0x01, SYN: 0x02, RST: 0x04, PSH: 0x08, ACK: 0x10, URG: 0x20 } as const;
const ALL = 0x3f;

/** Two words, mask and compare value: `FIN,SYN,RST,ACK SYN`; ALL and NONE may stand for lists. */
export const tcpFlags: ValueType = {
  words: 2,
  parse(words) {
    const bits: bigint[] = [];
    for (const [at, list] of words.entries()) {
      let sum = 0;
      for (const name of list.split(',')) {
        // strtok knows no empty words: "SYN,,ACK," is SYN and ACK.
        if (name === '') continue;
        const bit = flagBits(name);
        if (bit === undefined) return bad(`"${name}" is not a TCP flag`, at);
        sum |= bit;
      }
      bits.push(BigInt(sum));
    }
    return good({ kind: 'masked', mask: bits[0] ?? 0n, value: bits[1] ?? 0n });
  },
  print(value) {
    if (value.kind !== 'masked') return wrongKind(value);
    return [formatTcpFlags(value.mask), formatTcpFlags(value.value)];
  },
};

function flagBits(name: string): number | undefined {
  const upper = name.toUpperCase();
  if (upper === 'ALL') return ALL;
  if (upper === 'NONE') return 0;
  return Object.hasOwn(TCP_FLAG_BITS, upper) ? TCP_FLAG_BITS[upper as keyof typeof TCP_FLAG_BITS] : undefined;
}

function formatTcpFlags(bits: bigint): string {
  const names = Object.entries(TCP_FLAG_BITS).filter(([, bit]) => (bits & BigInt(bit)) !== 0n);
  return names.length === 0 ? 'NONE' : names.map(([name]) => name).join(',');
}
