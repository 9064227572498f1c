/** Which rules of a table's chains are decided by look-ups, and the maps that these read. */
import type { MapSpec } from '../../../bpf/program.ts';
import type { Choice } from '../../../classify/classifier.ts';
import { EXTRACT_OPTIONS, type ExtractOptions, extractRuns } from '../../../classify/extract.ts';
import { goesOn } from '../../../classify/run-actions.ts';
import { buildRunTable, type RunTable } from '../../../classify/run-table.ts';
import type { SharedCode } from '../../../classify/shared-code.ts';
import type { PolicyRule, TablePolicy } from '../../../policy/ir.ts';
import { ruleSequence } from '../../../policy/policy-columns.ts';
import { fitsRecords } from './leaf.ts';

/** Rules from..to) of a chain that are decided by one look-up. */
export interface RunSegment {
  readonly kind: 'run';
  readonly from: number;
  readonly to: number;
  readonly table: RunTable;
  /** Name of the map that holds the region. */
  readonly map: string;
  /** A look-up may go on behind a row. */
  readonly goesOn: boolean;
}

/** Rules that run one after the other. */
export interface LinearSegment {
  readonly kind: 'linear';
  readonly from: number;
  readonly to: number;
}

export type ChainSegment = RunSegment | LinearSegment;

/** Segments of the chains (by index) that have a run. */
export type TableRuns = ReadonlyMap<number, readonly ChainSegment[]>;

/** How rules become look-ups. `linear`: not at all; the others as in classifier.ts. */
export interface LookupOptions {
  readonly choice: Choice;
  readonly extract: ExtractOptions;
}

export const LOOKUP_OPTIONS: LookupOptions = { choice: 'auto', extract: EXTRACT_OPTIONS };

/** The runs of a table. `nameMap` gives every map its name; without `shared` rules with more than an action of their own share no code. */
export function planRuns(
  policy: TablePolicy,
  counterOffset: (rule: Pick<PolicyRule, 'counter'>) => number,
  nameMap: () => string,
  options: LookupOptions = LOOKUP_OPTIONS,
  shared?: SharedCode,
): TableRuns {
  const runs = new Map<number, readonly ChainSegment[]>();
  if (options.choice === 'linear') return runs;
  policy.chains.forEach((own, chain) => {
    const rules = ruleSequence(own);
    if (rules.length < options.extract.minRules) return;
    const segments = extractRuns(rules, options.extract).map((segment): ChainSegment => {
      if (segment.kind === 'linear') return segment;
      const { from, to } = segment;
      const table = buildRunTable(rules, segment, { choice: options.choice, counterOffset, ...(shared && { shared }) });
      if (table === undefined || !fitsRecords(table.shape.plan)) return { kind: 'linear', from, to };
      return { kind: 'run', from, to, table, map: nameMap(), goesOn: goesOn(table.shape.actions) };
    });
    if (segments.some(({ kind }) => kind === 'run')) runs.set(chain, segments);
  });
  return runs;
}

/** BPF_F_MMAPABLE: the value is changed in place through a mapping. */
export const MMAPABLE = 1 << 10;

/** The maps of a table's runs. */
export function runMaps(runs: TableRuns): readonly MapSpec[] {
  return [...runs.values()].flat().flatMap((segment): MapSpec[] => {
    if (segment.kind === 'linear') return [];
    const { region } = segment.table;
    return [
      {
        name: segment.map,
        type: 'array',
        keySize: 4,
        valueSize: region.length,
        maxEntries: 1,
        flags: MMAPABLE,
        initial: region,
      },
    ];
  });
}

/** Runs of the given chains. */
export function runsOf(runs: TableRuns, chains: Iterable<number>): readonly RunSegment[] {
  return [...chains].flatMap((chain) => (runs.get(chain) ?? []).filter((segment) => segment.kind === 'run'));
}

/** What a look-up costs to verify, in rules. */
export function runCost({ table: { shape } }: RunSegment): number {
  return 100 * shape.places.length + shape.actions.length;
}
