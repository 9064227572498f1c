/**
 * One rule changed, from a process that stays: in the memory of a look-up where that is possible, else as a new generation. Whoever calls
 * sees no difference but the time it takes, and either way the change is in force as a whole or not at all, killed or not.
 */

import { type Diagnostic, formatDiagnostic } from '../../diagnostics/diagnostic.ts';
import { namespaceIdentity } from '../../kernel/namespace.ts';
import { checkTable } from '../../languages/iptables/check-table.ts';
import { createReport } from '../../languages/iptables/report.ts';
import type { Family } from '../../packet/netfilter.ts';
import type { Chain, Rule, Ruleset } from '../../rules/model.ts';
import { FirewallError } from '../failure.ts';
import { applyPlans } from '../install.ts';
import type { Layout } from '../layout.ts';
import { namesInForce } from '../names-in-force.ts';
import { readObjects } from '../objects.ts';
import { planFamilies } from '../plan-families.ts';
import { readRuleset } from '../read.ts';
import { requiredKernelFacts } from '../requirements.ts';
import { alone, type Session, withExclusiveSession } from '../session.ts';
import type { RuleEdit } from './in-place.ts';
import { type WarmFamily, warmFamily } from './warm.ts';

export interface LiveOptions {
  readonly family: Family;
  /** Name, path or process id of the network namespace; absent: the current one. */
  readonly netns?: string;
  /** How long to wait for others that change the namespace. */
  readonly waitSeconds: number;
}

export interface LiveOutcome {
  /** `memory`: no program was loaded. */
  readonly how: 'memory' | 'generation';
  readonly warnings: readonly string[];
}

/** Owns mapped memory of the firewall; close() leaves the rules in force. */
export interface LiveFirewall {
  /** Puts a whole rule set of the family into force. @throws FirewallError with the old rules in force */
  apply(ruleset: Ruleset, options: { readonly counters: boolean }): LiveOutcome;
  /**
   * Makes the changes one after the other and puts them into force at once. Counters of all other rules go on.
   * @throws FirewallError for chains or rules that are not there, and where a new generation fails; nothing has changed then
   */
  change(edits: readonly RuleEdit[]): LiveOutcome;
  /** How often look-ups that have changed have been put in order again since the last generation: in the background, and no packet notices. */
  readonly compactions: number;
  /** Begins with it now, be there little to do. */
  compact(): void;
  /** Resolves when nothing of that is under way, and what the changes so far have replaced has been given back. */
  idle(): Promise<void>;
  close(): void;
}

/** Opens the firewall of one family. The first change takes a new generation unless this process has put the rules into force. */
export function openLiveFirewall({ family, netns, waitSeconds }: LiveOptions): LiveFirewall {
  let warm: WarmFamily | undefined;
  let known: { readonly session: Session; readonly identity: string } | undefined;

  const install = (layout: Layout, ruleset: Ruleset, counters: boolean): LiveOutcome => {
    const facts = requiredKernelFacts();
    const objects = readObjects([ruleset]);
    const [planned] = planFamilies([ruleset], facts, { counters, objects }, namesInForce(layout));
    const plan = planned?.plan;
    if (plan === undefined) throw refused(planned?.diagnostics ?? []);
    const { generation, warnings } = applyPlans(layout, [plan]);
    warm?.close();
    warm = undefined;
    warm = warmFamily(layout, generation, plan);
    return { how: 'generation', warnings: [...(planned?.diagnostics ?? []).map(formatDiagnostic), ...warnings] };
  };

  const inSession = <T>(action: (layout: Layout) => T): T =>
    withExclusiveSession(netns, waitSeconds, (session) => {
      known = { session, identity: namespaceIdentity(netns) };
      return action(session.layout);
    });

  /** In memory; undefined: that cannot be, and nothing has changed. */
  const inMemory = (layout: Layout, edits: readonly RuleEdit[]): LiveOutcome | undefined => {
    if (warm?.isCurrent(layout) !== true) return undefined;
    checkPlaces(warm, edits);
    return warm.change(edits) ? { how: 'memory', warnings: [] } : undefined;
  };

  return {
    apply: (ruleset, { counters }) => inSession((layout) => install(layout, ruleset, counters)),
    change(edits) {
      if (edits.length === 0) return { how: 'memory', warnings: [] };
      // Entering a namespace takes longer than a change: what was open before is not opened again.
      const { session, identity } = known ?? {};
      const quick =
        session === undefined || warm === undefined || identity !== namespaceIdentity(netns)
          ? undefined
          : alone(session, waitSeconds, () => inMemory(session.layout, edits));
      return (
        quick ??
        inSession((layout) => {
          const read = readRuleset(layout, family);
          if (read === undefined) throw new FirewallError('failed', 'nothing is in force here');
          return install(layout, changedRuleset(read.ruleset, edits), true);
        })
      );
    },
    get compactions() {
      return warm?.compactions ?? 0;
    },
    compact: () => warm?.compact(),
    idle: async () => warm?.idle(),
    close() {
      warm?.close();
      warm = undefined;
    },
  };
}

/** Throws before anything happens when a rule is not there. Tables that the process does not know are looked at when they are read. */
function checkPlaces(warm: WarmFamily, edits: readonly RuleEdit[]): void {
  const lengths = new Map<string, number>();
  for (const edit of edits) {
    const chain = warm.tables.get(edit.table)?.chains.get(edit.chain);
    if (chain === undefined) continue;
    const key = `${edit.table} ${edit.chain}`;
    const length = lengths.get(key) ?? chain.rules.length;
    checkPlace(edit, length);
    lengths.set(key, length + growthOf(edit));
  }
}

function checkPlace({ kind, at, chain, table }: RuleEdit, length: number): void {
  if (Number.isInteger(at) && at >= 0 && at < length + (kind === 'insert' ? 1 : 0)) return;
  throw new FirewallError(
    'failed',
    `chain ${chain} of table ${table} has ${length} rules: there is no place ${at + 1}`,
  );
}

function growthOf({ kind }: RuleEdit): number {
  return kind === 'insert' ? 1 : kind === 'delete' ? -1 : 0;
}

/** The rules with the edits, checked as the kernel would. */
function changedRuleset(ruleset: Ruleset, edits: readonly RuleEdit[]): Ruleset {
  const chains = new Map<string, Rule[]>();
  for (const edit of edits) {
    const key = `${edit.table} ${edit.chain}`;
    const chain = ruleset.tables
      .find(({ name }) => name === edit.table)
      ?.chains.find(({ name }) => name === edit.chain);
    if (chain === undefined)
      throw new FirewallError('failed', `there is no chain ${edit.chain} in table ${edit.table}`);
    const rules = chains.get(key) ?? [...chain.rules];
    checkPlace(edit, rules.length);
    rules.splice(edit.at, edit.kind === 'insert' ? 0 : 1, ...(edit.kind === 'delete' ? [] : [edit.rule]));
    chains.set(key, rules);
  }
  const tables = ruleset.tables.map((table) => ({
    ...table,
    chains: table.chains.map((chain): Chain => {
      const rules = chains.get(`${table.name} ${chain.name}`);
      return rules === undefined ? chain : { ...chain, rules };
    }),
  }));
  const report = createReport({ name: 'the changed rules', text: '' });
  for (const table of tables) {
    if (edits.some((edit) => edit.table === table.name)) checkTable(table, ruleset.family, report);
    checkTargets(table.chains);
  }
  if (report.found.some(({ severity }) => severity === 'error')) throw refused(report.found);
  return { ...ruleset, tables };
}

function checkTargets(chains: readonly Chain[]): void {
  const names = new Set(chains.map(({ name }) => name));
  for (const { target } of chains.flatMap(({ rules }) => rules)) {
    if ((target.kind === 'jump' || target.kind === 'goto') && !names.has(target.chain))
      throw new FirewallError('failed', `there is no chain ${target.chain}`);
  }
}

function refused(diagnostics: readonly Diagnostic[]): FirewallError {
  return new FirewallError('failed', diagnostics.map(formatDiagnostic).join('\n'));
}
