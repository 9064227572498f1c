/** What the kernel checks when a whole table is loaded: circles of jumps, and matches and targets in the wrong place. */

import { type DiagnosticNote, diagnostic } from '../../diagnostics/diagnostic.ts';
import type { Span } from '../../diagnostics/source.ts';
import type { MatchExtension, TargetExtension } from '../../extensions/contract.ts';
import { findMatch, findTarget } from '../../extensions/registry.ts';
import type { Family, Hook } from '../../packet/netfilter.ts';
import { chainGraph, type Jump, jumpTarget } from '../../rules/chain-graph.ts';
import type { OptionUse, Rule, Table } from '../../rules/model.ts';
import { columnsOf } from '../../rules/rule-columns.ts';
import type { Report } from './report.ts';

/** Reports what makes the kernel refuse the table. */
export function checkTable(table: Table, family: Family, report: Report): void {
  const graph = chainGraph(table, family);
  for (const circle of graph.circles) reportCircle(circle, report);
  for (const [chainAt, chain] of table.chains.entries()) {
    // Rules that are columns are allowed everywhere in their table (quick/learn.ts).
    for (const [ruleAt, rule] of columnsOf(chain)?.others ?? chain.rules.entries()) {
      if (rule.matches.length === 0 && rule.target.kind !== 'extension') continue;
      const hooks = graph.hooksOf(chainAt, ruleAt);
      for (const use of rule.matches) checkPlace(findMatch(use.name, family), use, table, hooks, report);
      const { target } = rule;
      if (target.kind === 'extension') checkPlace(findTarget(target.name, family), target, table, hooks, report);
    }
  }
}

function checkPlace(
  extension: MatchExtension | TargetExtension | undefined,
  { options, span }: { readonly options: Readonly<Record<string, OptionUse>>; readonly span?: Span },
  table: Table,
  hooks: readonly Hook[],
  report: Report,
): void {
  if (extension === undefined) return;
  const what = `${extension.kind} "${extension.name}"`;
  if (extension.tables !== undefined && !extension.tables.includes(table.name)) {
    report.found.push(
      diagnostic('wrong-table', span, { what, table: table.name, allowed: extension.tables.join(', ') }),
    );
    return;
  }
  const allowed: readonly Hook[] | undefined = extension.hooks ?? extension.hooksFor?.(options);
  if (allowed === undefined) return;
  const refused = hooks.filter((hook) => !allowed.includes(hook));
  if (refused.length === 0) return;
  const params = { what, hooks: refused.join(', '), allowed: allowed.join(', ') };
  report.found.push(diagnostic('wrong-hook', span, params));
}

function reportCircle(circle: readonly Jump[], report: Report): void {
  const [first, ...others] = circle;
  if (first === undefined) return;
  const names = [...circle.map((jump) => jump.chain.name), first.chain.name];
  const notes = others.map((jump): DiagnosticNote => {
    const rule = ruleOf(jump);
    const span = targetSpan(rule);
    return {
      message: `chain "${jump.chain.name}" goes on to "${rule === undefined ? '' : jumpTarget(rule)}" here`,
      ...(span === undefined ? {} : { span }),
    };
  });
  report.found.push(diagnostic('jump-circle', targetSpan(ruleOf(first)), { path: names.join(' -> ') }, notes));
}

function ruleOf(jump: Jump): Rule | undefined {
  return jump.chain.rules[jump.rule];
}

function targetSpan(rule: Rule | undefined): Span | undefined {
  return (rule === undefined || rule.target.kind === 'none' ? undefined : rule.target.span) ?? rule?.span;
}
