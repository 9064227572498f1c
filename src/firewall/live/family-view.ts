/**
 * The rules of one family in force, kept from one look to the next: as long as nobody has changed them, the same Rule objects, and where each
 * counter is. What a `counters` object of a rule or policy stands for is told by its identity (carry-counters.ts).
 */

import { MAP_NAMES } from '../../codegen/compiled.ts';
import { isErrno } from '../../kernel/errno.ts';
import type { BpfMap } from '../../kernel/map.ts';
import { type MapMemory, openMapMemory } from '../../kernel/map-memory.ts';
import { openPinnedMap } from '../../kernel/object.ts';
import { parseRuleset } from '../../languages/iptables/parse.ts';
import type { Family } from '../../packet/netfilter.ts';
import { type Chain, type Counters, type Rule, type Ruleset, type Table, ZERO_COUNTERS } from '../../rules/model.ts';
import { type Continued, continueCounters, type RunningCounter, runningValue } from '../carry-counters.ts';
import { FirewallError } from '../failure.ts';
import type { Layout } from '../layout.ts';
import { mapCounters } from '../ruleset-counters.ts';
import type { ChainState, FamilyState } from '../state.ts';
import { readGeneration, readState } from '../store.ts';
import { JOURNAL_MAP, journalRevision } from './journal.ts';
import type { LiveTable } from './live-table.ts';
import { replay } from './replay.ts';
import { untilSteady } from './steady.ts';

/** Owns the open maps of its family, which stay readable when their pins go. */
export interface FamilyView {
  readonly state: FamilyState;
  /** Tables that run as programs; their counters are what counting started from. Tables of the kernel are as they were when they were loaded. */
  readonly ruleset: Ruleset;
  /** Differs when the rules do; never comes back. */
  readonly revision: string;
  /** Whether these are the rules in force. */
  isCurrent(layout: Layout): boolean;
  /** The same rules with their counters of now; these `counters` objects are known, too. */
  live(ruleset: Ruleset): Ruleset;
  /** A rule set that is about to be put into force: counters that are known go on. */
  continued(ruleset: Ruleset): Continued;
  /** Whether these `counters` are those of a rule in force. */
  isRunning(counters: Counters): boolean;
  /** Takes over a chain that has been changed in memory. */
  adopt(table: LiveTable, chain: string): void;
  close(): void;
}

const ATTEMPTS = 100;

/** Reads what is in force; undefined: nothing of this family. @throws FirewallError, SyscallError */
export function openFamilyView(layout: Layout, family: Family): FamilyView | undefined {
  for (let attempt = 0; ; attempt++) {
    const generation = readGeneration(layout);
    if (generation === 0) return undefined;
    try {
      const state = readState(layout, generation);
      if (state !== undefined) {
        const own = state.families[family];
        return own === undefined ? undefined : readView(layout, generation, family, own);
      }
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
    }
    // Another generation may have taken its place meanwhile.
    if (readGeneration(layout) === generation || attempt === ATTEMPTS) {
      throw new FirewallError('failed', `generation ${generation} is in force but its state cannot be read`);
    }
  }
}

function readView(layout: Layout, generation: number, family: Family, state: FamilyState): FamilyView {
  const { ruleset } = parseRuleset({ name: layout.state(generation), text: state.text }, family);
  if (ruleset === undefined) throw new FirewallError('failed', 'the rules in force cannot be read back');
  const maps = openMaps(layout, generation, family, state);
  try {
    for (;;) {
      const before = maps.revision();
      const now = untilSteady(layout, generation, family, state, (entries) => replay(ruleset, state, entries));
      if (maps.revision() === before) return createView({ ...now, generation, maps, revision: before });
    }
  } catch (error) {
    maps.close();
    throw error;
  }
}

/** Of a generation that this process has just put into force. `ruleset`: the rules as they were planned. @throws SyscallError */
export function viewOfPlan(layout: Layout, generation: number, ruleset: Ruleset, state: FamilyState): FamilyView {
  const maps = openMaps(layout, generation, ruleset.family, state);
  return createView({ ruleset, state, generation, maps, revision: maps.revision() });
}

interface Maps {
  readonly counters: BpfMap | undefined;
  revision(): number;
  close(): void;
}

function openMaps(layout: Layout, generation: number, family: Family, { maps }: FamilyState): Maps {
  let counters: BpfMap | undefined;
  let journal: MapMemory | undefined;
  const close = (): void => {
    counters?.close();
    journal?.close();
  };
  const open = (name: string): BpfMap | undefined =>
    maps.includes(name) ? openPinnedMap(layout.generationMap(generation, family, name)) : undefined;
  try {
    counters = open(MAP_NAMES.counters);
    const map = open(JOURNAL_MAP);
    try {
      if (map !== undefined) journal = openMapMemory(map);
    } finally {
      map?.close();
    }
    return { counters, revision: () => (journal === undefined ? 0 : journalRevision(journal.bytes)), close };
  } catch (error) {
    close();
    throw error;
  }
}

interface ViewInput {
  readonly ruleset: Ruleset;
  readonly state: FamilyState;
  readonly generation: number;
  readonly maps: Maps;
  readonly revision: number;
}

function createView(input: ViewInput): FamilyView {
  const { maps } = input;
  const { family } = input.ruleset;
  const { counterStride, cpus } = input.state;
  const source = maps.counters === undefined ? undefined : { map: maps.counters, counterStride, cpus };
  const running = new WeakMap<Counters, RunningCounter>();
  let { state, revision, generation } = input;
  let ruleset = known(input.ruleset);

  /** Each `counters` object by itself, entered with its place. The rules of a chain are made when they are asked for. */
  function known(rules: Ruleset): Ruleset {
    const tables = rules.tables.map((table): Table => {
      const places = state.tables.find(({ name }) => name === table.name);
      const chains = places?.placement === 'bpf' ? places.chains : [];
      return { ...table, chains: table.chains.map((chain) => knownChain(chain, chains)) };
    });
    return { ...rules, tables };
  }

  function knownChain(chain: Chain, places: readonly ChainState[]): Chain {
    const place = places.find(({ name }) => name === chain.name);
    const own = ({ packets, bytes }: Counters, index: number | undefined): Counters => {
      const counters = Object.freeze({ packets, bytes });
      if (index !== undefined) running.set(counters, { index, start: counters });
      return counters;
    };
    let made: readonly Rule[] | undefined;
    return {
      ...headOf(chain),
      counters: chain.policy === undefined ? ZERO_COUNTERS : own(chain.counters, place?.policy),
      get rules() {
        made ??= chain.rules.map((rule, at) => ({ ...rule, counters: own(rule.counters, place?.rules[at]) }));
        return made;
      },
    };
  }

  return {
    get state() {
      return state;
    },
    get ruleset() {
      return ruleset;
    },
    get revision() {
      return `${source === undefined ? `generation ${generation}` : source.map.id}.${revision}`;
    },
    isCurrent(layout) {
      const now = readGeneration(layout);
      if (now === 0 || maps.revision() !== revision) return false;
      if (now === generation) return true;
      // The other family may have got new rules: then this one's maps were carried over.
      if (source === undefined || countersIdOf(layout, now, family) !== source.map.id) return false;
      generation = now;
      return true;
    },
    live(rules) {
      if (source === undefined) return rules;
      const value = new DataView(source.map.readValue().buffer);
      return mapCounters(rules, (_place, now) => {
        const counter = running.get(now);
        if (counter === undefined) return now;
        const live = Object.freeze(runningValue(counter, value, source));
        running.set(live, counter);
        return live;
      });
    },
    continued: (rules) =>
      source === undefined ? { ruleset: rules, settle: () => {} } : continueCounters(rules, running, source),
    isRunning: (counters) => running.get(counters) !== undefined,
    adopt(table, name) {
      const { rules = [] } = table.chains.get(name) ?? {};
      const old = ruleset.tables.find((one) => one.name === table.name);
      const at = old?.chains.findIndex((one) => one.name === name) ?? -1;
      const before = old?.chains[at]?.rules ?? [];
      const places = countersOf(state, table, name);
      const added = rules.length - before.length;
      // What is in front of the changed rules has its place, and what is behind has moved by what has been added.
      const now = rules.map(({ rule, counter }, index): Rule => {
        const place = places[index] === counter ? index : places[index - added] === counter ? index - added : -1;
        const same = before[place];
        if (same !== undefined && same.ip === rule.ip) return same;
        const own = Object.freeze({ ...rule.counters });
        running.set(own, { index: counter, start: own });
        return Object.freeze({ ...rule, counters: own });
      });
      ruleset = withChain(ruleset, table.name, name, (chain) => ({ ...headOf(chain), rules: now }));
      state = {
        ...state,
        tables: state.tables.map((one) =>
          one.name !== table.name || one.placement === 'kernel'
            ? one
            : {
                ...one,
                chains: one.chains.map((chain) =>
                  chain.name === name ? { ...chain, rules: rules.map(({ counter }) => counter) } : chain,
                ),
              },
        ),
      };
      revision = maps.revision();
    },
    close: () => maps.close(),
  };
}

/** A chain without its rules, which are not asked for. */
function headOf({ name, policy, counters, span }: Chain): Omit<Chain, 'rules'> {
  return { name, ...(policy === undefined ? {} : { policy }), counters, ...(span === undefined ? {} : { span }) };
}

/** The places of the counters of a chain's rules. */
function countersOf(state: FamilyState, { name }: LiveTable, chain: string): readonly number[] {
  const table = state.tables.find((one) => one.name === name);
  return (table?.placement === 'bpf' ? table.chains.find((one) => one.name === chain)?.rules : undefined) ?? [];
}

function withChain(ruleset: Ruleset, table: Table['name'], chain: string, change: (chain: Chain) => Chain): Ruleset {
  return {
    ...ruleset,
    tables: ruleset.tables.map((one) =>
      one.name === table
        ? { ...one, chains: one.chains.map((each) => (each.name === chain ? change(each) : each)) }
        : one,
    ),
  };
}

function countersIdOf(layout: Layout, generation: number, family: Family): number | undefined {
  try {
    const map = openPinnedMap(layout.generationMap(generation, family, MAP_NAMES.counters));
    map.close();
    return map.id;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
