/** From "these two differ after 2,000 packets" to the packet that does it. */
import type { RuleSets } from '../support/firewalls.ts';
import { encodeCase } from './case.ts';
import { describeStimulus, type Path, type Phase, type Stimulus } from './stimulus.ts';
import { differences, runTwins, type TwinOptions } from './twin.ts';

type Step = { readonly path: Phase['path']; readonly stimulus: Stimulus };

function steps(phases: readonly Phase[]): readonly Step[] {
  return phases.flatMap(({ path, stimuli }) => stimuli.map((stimulus) => ({ path, stimulus })));
}

function samePath(a: Path, b: Path): boolean {
  return a.kind === 'forward' && b.kind === 'forward' ? a.shift === b.shift : a.kind === b.kind;
}

function describePath(path: Path): string {
  return path.kind === 'input' ? 'input' : `forward by ${path.shift}`;
}

/** Steps in order, neighbours of the same path in one phase. */
function phasesOf(list: readonly Step[]): readonly Phase[] {
  const phases: { path: Phase['path']; stimuli: Stimulus[] }[] = [];
  for (const { path, stimulus } of list) {
    const last = phases.at(-1);
    if (last !== undefined && samePath(last.path, path)) last.stimuli.push(stimulus);
    else phases.push({ path, stimuli: [stimulus] });
  }
  return phases;
}

function differ(sets: RuleSets, list: readonly Step[], options: TwinOptions): readonly string[] {
  return differences(...runTwins(sets, phasesOf(list), options), options);
}

/** How many fresh pairs of namespaces one search may use. */
const MOST_RUNS = 60;

/**
 * The shortest list of steps found that still makes the twins differ: first the shortest prefix, then without whatever can be
 * left out. Returns undefined when the difference does not come back.
 */
function shrink(sets: RuleSets, phases: readonly Phase[], options: TwinOptions): readonly Step[] | undefined {
  const all = steps(phases);
  if (differ(sets, all, options).length === 0) return undefined;
  let low = 0;
  let high = all.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (differ(sets, all.slice(0, middle), options).length > 0) high = middle;
    else low = middle;
  }
  let needed = all.slice(0, high);
  const last = needed.slice(-1);
  if (differ(sets, last, options).length > 0) return last;
  let runs = 0;
  for (
    let size = Math.ceil(needed.length / 2);
    size >= 1 && runs < MOST_RUNS;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let at = 0; at < needed.length - 1 && runs < MOST_RUNS; ) {
      const without = [...needed.slice(0, at), ...needed.slice(at + size)];
      runs++;
      if (without.length > 0 && differ(sets, without, options).length > 0) needed = without;
      else at += size;
    }
  }
  return needed;
}

/** Rules that depend on time: two namespaces may fall on different sides of a tick. */
const TIMED = /-m (limit|hashlimit)|--limit /;
/** So often must a rule set with such rules differ before it counts. */
const TIMED_ATTEMPTS = 3;

/** Compares the twins; on a difference returns a report that names the rules, the packets and both sides' counters. */
export function compare(sets: RuleSets, phases: readonly Phase[], options: TwinOptions): string | undefined {
  const attempts = Object.values(sets).some((text) => TIMED.test(text)) ? TIMED_ATTEMPTS : 1;
  let first: readonly string[] = [];
  for (let attempt = 0; attempt < attempts; attempt++) {
    first = differences(...runTwins(sets, phases, options), options);
    if (first.length === 0) return undefined;
  }
  const head = `${options.left.label} | ${options.right.label}`;
  const needed = shrink(sets, phases, options);
  if (needed === undefined) return [`differs, but not every time: ${head}`, ...first.slice(0, 20)].join('\n');
  const again = differ(sets, needed, options);
  return [
    `differs after ${needed.length} of ${steps(phases).length} packets: ${head}`,
    ...again.slice(0, 20),
    ...needed.slice(0, 20).map(({ path, stimulus }) => `  ${describePath(path)}, ${describeStimulus(stimulus)}`),
    `as a case: ${encodeCase({ sets, devices: options.devices, phases: phasesOf(needed) })}`,
  ].join('\n');
}
