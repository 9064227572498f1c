/** Loaders of ENVIRONMENT_FIELDS. */

import { call, mov } from '../../../bpf/assembly.ts';
import { R0, R1 } from '../../../bpf/instruction.ts';
import {
  type EnvironmentField,
  XFRM_DEPTH,
  XFRM_DIRECTIONS,
  type XfrmDirection,
} from '../../../policy/environment-fields.ts';
import { castTo, loadStatePointer } from '../cast.ts';
import { type HookContext, loadMember } from '../context.ts';
import { HELPER } from '../layout.ts';
import { loadBridged, loadHasPort, loadPortName } from './bridge.ts';
import { loadDaytime, loadMonthday, loadSeconds, loadWeekday } from './clock.ts';
import { loadAccounted, loadAverage, loadCount, loadHelped, loadHelperName, loadLabels } from './conntrack-extras.ts';
import { loadClassid, loadSenderFull } from './sender.ts';
import {
  loadRoute,
  loadXfrmAddress,
  loadXfrmInDepth,
  loadXfrmInPresent,
  loadXfrmNumber,
  loadXfrmOutDepth,
} from './xfrm.ts';

type Loader = (ctx: HookContext) => void;
type HalfLoader = (ctx: HookContext, half: 'high' | 'low') => void;

function loadCpu(ctx: HookContext): void {
  ctx.out.emit(call.helper(HELPER.cpu), mov.reg32(R1, R0));
}

/** A missing device is a NULL pointer and reads as group 0. */
function loadGroup(which: 'in' | 'out'): Loader {
  return (ctx) => {
    loadStatePointer(ctx, `nf_hook_state.${which}`);
    castTo(ctx, 'net_device');
    ctx.out.emit(loadMember(ctx, R1, R0, 'net_device.group'));
  };
}

function loadRealm(ctx: HookContext): void {
  loadRoute(ctx);
  castTo(ctx, 'dst_entry');
  ctx.out.emit(loadMember(ctx, R1, R0, 'dst_entry.tclassid'));
}

function forEachState(each: (direction: XfrmDirection, depth: number) => void): void {
  for (const direction of XFRM_DIRECTIONS) for (let depth = 0; depth < XFRM_DEPTH; depth++) each(direction, depth);
}

function xfrmLoaders(): Record<string, Loader> {
  const loaders: Record<string, Loader> = {};
  forEachState((direction, depth) => {
    for (const property of ['spi', 'proto', 'reqid', 'mode'] as const)
      loaders[`xfrm.${direction}.${depth}.${property}`] = loadXfrmNumber(direction, depth, property);
  });
  return loaders;
}

function xfrmHalfLoaders(): Record<string, HalfLoader> {
  const loaders: Record<string, HalfLoader> = {};
  forEachState((direction, depth) => {
    for (const property of ['saddr', 'daddr'] as const)
      loaders[`xfrm.${direction}.${depth}.${property}`] = loadXfrmAddress(direction, depth, property);
  });
  return loaders;
}

export const ENVIRONMENT_LOADERS: Partial<Record<EnvironmentField, Loader>> = {
  ...xfrmLoaders(),
  'meta.cpu': loadCpu,
  'meta.iifgroup': loadGroup('in'),
  'meta.oifgroup': loadGroup('out'),
  'route.realm': loadRealm,
  'clock.seconds': loadSeconds,
  'clock.daytime': loadDaytime,
  'clock.weekday': loadWeekday(false),
  'clock.monthday': loadMonthday(false),
  'clock.weekdayBefore': loadWeekday(true),
  'clock.monthdayBefore': loadMonthday(true),
  'ct.accounted': loadAccounted,
  'ct.packets.original': loadCount('packets', 'original'),
  'ct.packets.reply': loadCount('packets', 'reply'),
  'ct.packets.both': loadCount('packets', 'both'),
  'ct.bytes.original': loadCount('bytes', 'original'),
  'ct.bytes.reply': loadCount('bytes', 'reply'),
  'ct.bytes.both': loadCount('bytes', 'both'),
  'ct.average.original': loadAverage('original'),
  'ct.average.reply': loadAverage('reply'),
  'ct.average.both': loadAverage('both'),
  'ct.labels.low': loadLabels('low'),
  'ct.labels.high': loadLabels('high'),
  'ct.helped': loadHelped,
  'socket.full': loadSenderFull,
  'socket.classid': loadClassid,
  'xfrm.in.present': loadXfrmInPresent,
  'xfrm.in.depth': loadXfrmInDepth,
  'xfrm.out.depth': loadXfrmOutDepth,
  'bridge.present': loadBridged,
  'bridge.hasIn': loadHasPort('in'),
  'bridge.hasOut': loadHasPort('out'),
};

export const ENVIRONMENT_HALF_LOADERS: Partial<Record<EnvironmentField, HalfLoader>> = {
  ...xfrmHalfLoaders(),
  'ct.helper': loadHelperName,
  'bridge.inName': loadPortName('in'),
  'bridge.outName': loadPortName('out'),
};

/** IPv4 addresses of these are read whole. */
export const SHORT_ENVIRONMENT_FIELDS = Object.keys(xfrmHalfLoaders()) as readonly EnvironmentField[];
