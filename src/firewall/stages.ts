/**
 * What a generation's suspended packets need between its programs and the bridges: for each time that a packet can be suspended a link
 * that goes on with it, and in front of that the kernel's answers (kernel/stage-chain.ts). Both belong to the generation that made a
 * family's programs, hang beside those of the one before until the switch, and go with their generation.
 */

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { type CompiledHook, MAP_NAMES } from '../codegen/compiled.ts';
import { questionProgram, stageProgram, waitingProgram, yesProgram } from '../codegen/netfilter/staged.ts';
import { stubProgram } from '../codegen/netfilter/stub.ts';
import { waitForGracePeriod } from '../kernel/grace-period.ts';
import { attachNetfilter, PriorityTakenError } from '../kernel/link.ts';
import type { BpfMap } from '../kernel/map.ts';
import { openPinnedLink, openPinnedMap, pin } from '../kernel/object.ts';
import { type BpfProgram, loadProgram, setProgramSlot } from '../kernel/program.ts';
import { type HeldQuestions, installStageChains, removeStageChains, type StageChains } from '../kernel/stage-chain.ts';
import { FAMILIES, TABLE_HOOKS } from '../packet/netfilter.ts';
import { MAX_STAGES } from '../policy/staged.ts';
import { askedQuestion } from './asked-question.ts';
import { attachAndPin } from './attach.ts';
import type { LoadedGeneration } from './build.ts';
import { FirewallError } from './failure.ts';
import { type HookPoint, type Layout, pointName, samePoint, slotOf } from './layout.ts';
import type { FamilyPlan } from './plan.ts';
import type { GenerationState } from './state.ts';
import { type PersistentMaps, pointsPinned } from './store.ts';
import { stubPriority } from './stub-place.ts';

/** Priorities between a stub and its table: for the links of two generations. */
export const STAGE_ROOM = 2 * MAX_STAGES;

/** Hook points whose new programs suspend packets. */
export function suspendingPoints(plans: readonly FamilyPlan[]): readonly HookPoint[] {
  return plans.flatMap(({ compiled }) => compiled.hooks.filter(({ stages }) => stages !== undefined).map(pointOfHook));
}

function pointOfHook({ family, table, hook }: CompiledHook): HookPoint {
  return { family, table, hook };
}

/**
 * Moves stubs that leave no room behind them away from their tables. A packet that is on its way meets the old one or both, so for
 * a moment the rules in force can count one twice, but none passes them.
 */
export function makeRoom(layout: Layout, maps: PersistentMaps, points: readonly HookPoint[]): void {
  const present = pointsPinned(layout.stubs);
  const near = points.filter(
    (point) => present.some((other) => samePoint(other, point)) && roomBehind(layout, point) < STAGE_ROOM,
  );
  for (const point of near) {
    rmSync(movingPath(layout, point), { force: true });
    attachAndPin(stubProgram(slotOf(point)), maps, point, 'before', movingPath(layout, point), STAGE_ROOM + 1);
  }
  if (near.length > 0) waitForGracePeriod();
  for (const point of near) {
    const old = openPinnedLink(layout.stub(point));
    try {
      renameSync(movingPath(layout, point), layout.stub(point));
      old.detach();
    } finally {
      old.close();
    }
  }
}

function movingPath(layout: Layout, point: HookPoint): string {
  return `${layout.stub(point)}${MOVING}`;
}

const MOVING = '-moving';

function roomBehind(layout: Layout, point: HookPoint): number {
  return TABLE_HOOKS[point.table].priority - stubPriority(layout, point) - 1;
}

/**
 * Installs what the plans' programs need to suspend packets. Stubs must hang already, with room. When it returns, every packet that
 * reaches a stub meets all of it.
 * @throws SyscallError, FirewallError
 */
export function addStages(layout: Layout, loaded: LoadedGeneration, plans: readonly FamilyPlan[]): void {
  const asking = plans.filter(({ staged }) => staged.length > 0);
  if (asking.length === 0) return;
  mkdirSync(layout.stages, { recursive: true, mode: 0o700 });
  for (const plan of asking) installFamily(layout, loaded, plan);
  // A packet that was already past what is new must not meet the new programs.
  waitForGracePeriod();
}

function installFamily(layout: Layout, loaded: LoadedGeneration, plan: FamilyPlan): void {
  const { generation } = loaded.state;
  const { family, compiled } = plan;
  const maps = new Map<string, BpfMap>();
  const programs: BpfProgram[] = [];
  const load = (spec: Parameters<typeof loadProgram>[0]): BpfProgram => {
    const program = loadProgram(spec, maps);
    programs.push(program);
    return program;
  };
  try {
    const hooks = compiled.hooks.filter(({ stages }) => stages !== undefined);
    if (hooks.length > 0) {
      for (const name of [MAP_NAMES.suspended, MAP_NAMES.suspendedCount, MAP_NAMES.resume])
        maps.set(name, openPinnedMap(layout.generationMap(generation, family, name)));
    }
    const bases = hooks.flatMap((hook) => {
      const point = pointOfHook(hook);
      const { index, count } = hook.stages!;
      const own = loaded.programs.find((item) => samePoint(item.point, point))!.program;
      setProgramSlot(maps.get(MAP_NAMES.resume)!, index, own);
      const priorities = hangStages(layout, load(stageProgram(index)), point, generation, count);
      return priorities.map((priority, at) => ({ table: hook.table, hook: hook.hook, stage: at + 1, priority }));
    });
    const chains: StageChains[] = [];
    const held: HeldQuestions[] = [];
    for (const { table, first, questions } of plan.staged) {
      const reached = new Set(hooks.filter((hook) => hook.table === table).flatMap(({ stages }) => stages!.questions));
      const kept = questions.filter((_, number) => !reached.has(number));
      if (kept.length > 0) held.push({ family, generation, table, held: kept.map(askedQuestion) });
      if (reached.size === 0) continue;
      chains.push({
        ...{ family, generation, table },
        bases: bases.filter((base) => base.table === table),
        waiting: load(waitingProgram()).fd,
        yes: load(yesProgram()).fd,
        questions: [...reached]
          .sort((a, b) => a - b)
          .map((number) => ({ ...askedQuestion(questions[number]!), asked: load(questionProgram(first + number)).fd })),
      });
    }
    installStageChains(chains, held);
  } finally {
    for (const program of programs) program.close();
    for (const map of maps.values()) map.close();
  }
}

/** Hangs a program between the stub and the point's table, `count` times; returns the priorities in order. */
function hangStages(
  layout: Layout,
  program: BpfProgram,
  point: HookPoint,
  generation: number,
  count: number,
): readonly number[] {
  const { family, hook, table } = point;
  const end = TABLE_HOOKS[table].priority;
  const taken: number[] = [];
  for (let priority = stubPriority(layout, point) + 1; priority < end && taken.length < count; priority++) {
    try {
      const link = attachNetfilter(program, { family, hook, priority });
      try {
        pin(link.fd, `${layout.stages}/${pointName(point)}-${generation}-${taken.length + 1}`);
      } finally {
        link.close();
      }
      taken.push(priority);
    } catch (error) {
      if (!(error instanceof PriorityTakenError)) throw error;
    }
  }
  if (taken.length < count)
    throw new FirewallError('failed', `${pointName(point)}: other programs have taken the priorities before ${end}`);
  return taken;
}

/** Removes what other generations than the one in force have there. No packet may be inside their programs. */
export function keepStages(layout: Layout, state: GenerationState | undefined): void {
  const kept = FAMILIES.flatMap((family) => {
    const madeBy = state?.families[family]?.madeBy;
    return madeBy === undefined ? [] : [`${family} ${madeBy}`];
  });
  const names = existsSync(layout.stages) ? readdirSync(layout.stages) : [];
  for (const name of names) {
    const [family, , , generation] = name.split('-');
    if (!kept.includes(`${family} ${generation}`)) unhang(`${layout.stages}/${name}`);
  }
  const moving = existsSync(layout.stubs) ? readdirSync(layout.stubs).filter((name) => name.endsWith(MOVING)) : [];
  for (const name of moving) unhang(`${layout.stubs}/${name}`);
  for (const family of FAMILIES) removeStageChains(family, state?.families[family]?.madeBy);
}

function unhang(path: string): void {
  const link = openPinnedLink(path);
  try {
    rmSync(path, { force: true });
    link.detach();
  } finally {
    link.close();
  }
}
