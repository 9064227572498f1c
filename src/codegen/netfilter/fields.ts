/**
 * How each field is read: one table. A loader leaves the value in r1, in host order and unknown to the verifier, and may use
 * r0..r5. Fields of 128 bits are read in two halves, as they lie in memory.
 */

import { and, ldx, mov, rsh } from '../../bpf/assembly.ts';
import { R1, R10 } from '../../bpf/instruction.ts';
import type { FieldName } from '../../policy/fields.ts';
import { loadAnswers } from './asked.ts';
import type { BodyContext, HookContext } from './context.ts';
import {
  loadCtAddress,
  loadCtExpires,
  loadCtInfo,
  loadCtMark,
  loadCtPort,
  loadCtPresent,
  loadCtProtocol,
  loadCtStatus,
} from './fields/conntrack.ts';
import { ENVIRONMENT_HALF_LOADERS, ENVIRONMENT_LOADERS, SHORT_ENVIRONMENT_FIELDS } from './fields/environment.ts';
import {
  loadDeviceName,
  loadIpv4Byte,
  loadIpv4FragmentOffset,
  loadIpv4TotalLength,
  loadIpv6Address,
  loadIpv6HopLimit,
  loadLength,
  loadMark,
  loadOddIpv6FragmentOffset,
  loadPacketType,
} from './fields/headers.ts';
import { loadMacEui64, loadMacPresent, loadMacSource } from './fields/mac.ts';
import { loadDestinationType } from './fields/route.ts';
import { loadCredential, loadOwnSocket, loadSocketState } from './fields/socket.ts';
import { loadTcpFlags, loadTcpHeaderLength, loadTransportLength } from './fields/transport.ts';
import type { Place } from './flow-word.ts';
import { STACK } from './layout.ts';

/** Leaves the field in r1. */
export type Loader = (ctx: HookContext) => void;
/** Leaves half a field in r1, in memory order unless the table says otherwise. */
export type HalfLoader = (ctx: HookContext, half: 'high' | 'low') => void;

const original = (end: 'src' | 'dst') => ({ direction: 'original', end }) as const;
const reply = (end: 'src' | 'dst') => ({ direction: 'reply', end }) as const;

const LOADERS: Partial<Record<FieldName, Loader>> = {
  ...ENVIRONMENT_LOADERS,
  'meta.length': loadLength,
  'meta.mark': loadMark,
  'meta.pkttype': loadPacketType,
  'ip.protocol': loadIpv4Byte(9),
  'ip.fragOffset': loadIpv4FragmentOffset,
  'ip.ttl': loadIpv4Byte(8),
  'ip.tos': loadIpv4Byte(1),
  'ip.totalLength': loadIpv4TotalLength,
  'ip6.hopLimit': loadIpv6HopLimit,
  'ip6.fragOffset': loadOddIpv6FragmentOffset,
  'transport.length': loadTransportLength,
  'tcp.flags': loadTcpFlags,
  'tcp.headerLength': loadTcpHeaderLength,
  'mac.present': loadMacPresent,
  'mac.saddr': loadMacSource,
  'mac.eui64': loadMacEui64,
  'ct.present': loadCtPresent,
  'ct.info': loadCtInfo,
  'ct.status': loadCtStatus,
  'ct.mark': (ctx) => (ctx.simulatesMarks ? ctx.out.emit(ldx.w(R1, R10, STACK.entryMark)) : loadCtMark(ctx)),
  'ct.expires': loadCtExpires,
  'ct.protonum': loadCtProtocol,
  'ct.orig.sport': loadCtPort(original('src')),
  'ct.orig.dport': loadCtPort(original('dst')),
  'ct.repl.sport': loadCtPort(reply('src')),
  'ct.repl.dport': loadCtPort(reply('dst')),
  'socket.own': loadOwnSocket,
  'socket.state': loadSocketState,
  'socket.uid': loadCredential('cred.fsuid'),
  'socket.gid': loadCredential('cred.fsgid'),
  'asked.0': loadAnswers(0),
  'asked.1': loadAnswers(1),
  'asked.2': loadAnswers(2),
  'asked.3': loadAnswers(3),
  'route.dstType': loadDestinationType,
};

const HALF_LOADERS: Partial<Record<FieldName, HalfLoader>> = {
  ...ENVIRONMENT_HALF_LOADERS,
  'meta.iifname': (ctx, half) => loadDeviceName(ctx, 'in', half),
  'meta.oifname': (ctx, half) => loadDeviceName(ctx, 'out', half),
  'ip6.saddr': (ctx, half) => loadIpv6Address(ctx, 'saddr', half),
  'ip6.daddr': (ctx, half) => loadIpv6Address(ctx, 'daddr', half),
  'ct.orig.saddr': (ctx, half) => loadCtAddress(ctx, original('src'), half),
  'ct.orig.daddr': (ctx, half) => loadCtAddress(ctx, original('dst'), half),
  'ct.repl.saddr': (ctx, half) => loadCtAddress(ctx, reply('src'), half),
  'ct.repl.daddr': (ctx, half) => loadCtAddress(ctx, reply('dst'), half),
};

/** Addresses of IPv4 conntrack tuples: 32 bits in host order, read through the half loader. */
const SHORT_IN_IPV4: ReadonlySet<FieldName> = new Set<FieldName>([
  ...SHORT_ENVIRONMENT_FIELDS,
  'ct.orig.saddr',
  'ct.orig.daddr',
  'ct.repl.saddr',
  'ct.repl.daddr',
]);

/** True when the field has more than 64 bits in this program and is read in halves. */
export function isWide(ctx: HookContext, field: FieldName): boolean {
  return HALF_LOADERS[field] !== undefined && !(ctx.family === 'ipv4' && SHORT_IN_IPV4.has(field));
}

/** r1 = field, of at most 64 bits, from wherever this copy of the rules has it. */
export function loadField(ctx: BodyContext, field: FieldName): void {
  const place = ctx.layout.places[field];
  if (place !== undefined) {
    takeOut(ctx, place);
    return;
  }
  const short = HALF_LOADERS[field];
  if (short !== undefined && !isWide(ctx, field)) {
    short(ctx, 'low');
    return;
  }
  const loader = LOADERS[field];
  if (loader === undefined) throw new Error(`field ${field} cannot be read in ${ctx.family} programs`);
  loader(ctx);
}

/** r1 = half of a field of 128 bits, as it lies in memory (big endian). */
export function loadHalf(ctx: BodyContext, field: FieldName, half: 'high' | 'low'): void {
  const loader = HALF_LOADERS[field];
  if (loader === undefined) throw new Error(`field ${field} is not read in halves`);
  loader(ctx, half);
}

/** r1 = the field at `place`, as a value that the verifier does not connect with the register it came from. */
export function takeOut(ctx: BodyContext, place: Place): void {
  const { register, shift, bits } = place;
  const { out } = ctx;
  if (shift === 0 && bits === 32) {
    out.emit(mov.reg32(R1, register));
    return;
  }
  if (shift + bits <= 32) out.emit(mov.reg32(R1, register));
  else out.emit(mov.reg(R1, register));
  if (shift > 0) out.emit(shift + bits <= 32 ? rsh.imm32(R1, shift) : rsh.imm(R1, shift));
  if (shift + bits !== 64 && shift + bits !== 32) out.emit(and.imm(R1, 2 ** bits - 1));
}
