/** Reading what rule sets name but the machine has (extensions/objects.ts), in the calling thread's network namespace. */

import type { KernelObjects, ProgramFacts, SetFacts } from '../extensions/objects.ts';
import { objectInfo } from '../kernel/bpf-syscall.ts';
import { isErrno } from '../kernel/errno.ts';
import { type IpSet, listSetMembers, listSets } from '../kernel/ipset.ts';
import { openPinnedProgram } from '../kernel/object.ts';
import type { Ruleset } from '../rules/model.ts';
import { mentionsIn } from './mentions.ts';

const LIST_SET = 'list:set';
/** The type whose elements a match can complete (ip_set_test, -EAGAIN). */
const COMPLETED = 'bitmap:ip,mac';

/** Reads what these rule sets name; asks nothing when they name nothing. Undefined where that is not permitted. @throws SyscallError */
export function readObjects(rulesets: readonly Ruleset[]): KernelObjects | undefined {
  try {
    return permittedObjects(rulesets);
  } catch (error) {
    if (isErrno(error, 'EPERM')) return undefined;
    throw error;
  }
}

function permittedObjects(rulesets: readonly Ruleset[]): KernelObjects {
  const mentions = rulesets.flatMap(mentionsIn);
  const programs = new Map<string, ProgramFacts>();
  for (const { kind, name } of mentions) {
    const facts = kind === 'program' && !programs.has(name) ? programFacts(name) : undefined;
    if (facts !== undefined) programs.set(name, facts);
  }
  return { sets: mentions.some(({ kind }) => kind === 'set') ? setFacts(listSets()) : new Map(), programs };
}

function setFacts(sets: readonly IpSet[]): ReadonlyMap<string, SetFacts> {
  const byName = new Map(sets.map((set) => [set.name, set]));
  return new Map(
    sets.map((set): [string, SetFacts] => {
      // A list:set can hold no other list:set.
      const members = set.type === LIST_SET ? listSetMembers(set.name).flatMap((name) => byName.get(name) ?? []) : [];
      const all = [set, ...members];
      return [
        set.name,
        {
          type: set.type,
          counters: all.some(({ counters }) => counters),
          completes: all.some(({ type }) => type === COMPLETED),
        },
      ];
    }),
  );
}

/** Where struct bpf_prog_info says how many maps the program has. */
const NR_MAP_IDS = 52;

function programFacts(path: string): ProgramFacts | undefined {
  try {
    const program = openPinnedProgram(path);
    try {
      return { maps: objectInfo(program.fd, NR_MAP_IDS + 4).getUint32(NR_MAP_IDS, true) > 0 };
    } finally {
      program.close();
    }
  } catch (error) {
    // xt_bpf itself will say what is wrong with it.
    if (isErrno(error, 'ENOENT', 'EACCES', 'EINVAL', 'EPERM')) return undefined;
    throw error;
  }
}
