/**
 * From a table of rules to a policy: chains by number, jumps resolved, each rule a list of conditions and an action.
 *
 * A rule that no packet can reach (see chain-graph.ts) is kept for its counter only: it asks constant false and goes on.
 * So what the policy holds is free of circles even when the kernel would accept one where it never looks.
 */

import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { LowerContext } from '../extensions/contract.ts';
import type { KernelObjects } from '../extensions/objects.ts';
import { findMatch } from '../extensions/registry.ts';
import type { Family, Hook } from '../packet/netfilter.ts';
import { isHook } from '../packet/netfilter.ts';
import type { Effect } from '../policy/effect.ts';
import { FALSE, require } from '../policy/expr.ts';
import type { LogSpec, PolicyChain, PolicyRule, StateObject, TablePolicy } from '../policy/ir.ts';
import { policyChainOfColumns } from '../policy/policy-columns.ts';
import { addQuestion, answeredYes, type Question } from '../policy/question.ts';
import { chainGraph } from '../rules/chain-graph.ts';
import type { Rule, Table } from '../rules/model.ts';
import { columnsOf, differentRules, ruleCount } from '../rules/rule-columns.ts';
import { effectTrouble } from './effect-trouble.ts';
import { lowerColumns } from './lower-columns.ts';
import { addEffect } from './lower-effect.ts';
import { type LoweredRule, lowerRule } from './lower-rule.ts';
import { probeRule } from './probe-rule.ts';
import { stagedTrouble } from './staged-trouble.ts';

export interface LoweredTable {
  /** Present exactly when no diagnostic is an error. */
  readonly policy?: TablePolicy;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Lowers a table. `objects`: what the machine has of what rules name. Errors: a match or target that is unknown or cannot be run exactly here.
 *
 * What the kernel refuses as a table (jumps in a circle, a jump to nowhere, an extension in the wrong place) is reported
 * when rules are read; a table with a circle or a missing chain is a programming error here, a RangeError.
 */
export function lowerTable(table: Table, family: Family, objects?: KernelObjects): LoweredTable {
  const graph = chainGraph(table, family);
  if (graph.circles.length > 0) throw new RangeError(`table ${table.name}: jumps run in a circle`);
  const chainNumbers = new Map(table.chains.map((chain, at) => [chain.name, at]));
  const diagnostics: Diagnostic[] = [];
  const states: StateObject[] = [];
  const logs: LogSpec[] = [];
  const effects: Effect[] = [];
  let tracked = false;
  const questions: Question[] = [];
  const staged: Question[] = [];
  let counters = 0;

  const chains = table.chains.map((chain, chainAt): PolicyChain => {
    const firstCounter = counters;
    const lower = (rule: Rule, ruleAt: number): PolicyRule => {
      const reachableFrom = graph.hooksOf(chainAt, ruleAt);
      const dead = reachableFrom.length === 0;
      const context: LowerContext = {
        family,
        table: table.name,
        ip: rule.ip,
        reachableFrom,
        // What a dead rule asks for is checked, but nothing is kept.
        // Tables with names are made by rules that no packet reaches, too.
        addState: (state) => (dead && !hasName(state) ? 0 : states.push(state) - 1),
        addLog: (log) => (dead ? 0 : logs.push(log) - 1),
        addEffect: (effect) => (dead ? 0 : addEffect(effects, effect)),
        // Those of dead rules, too: the kernel holds on to what rules name.
        ask(question) {
          const number = addQuestion(questions, question);
          return number === undefined ? undefined : answeredYes(number);
        },
        askHere: (question) => staged.push(Object.freeze(question)) - 1,
        ...(objects === undefined ? {} : { objects }),
      };
      const lowered = lowerRule(rule, chainNumbers, context);
      for (const item of lowered.diagnostics) diagnostics.push(item);
      tracked ||= lowered.conntrack;
      return Object.freeze({
        conditions: dead ? NEVER : lowered.conditions,
        action: dead ? CONTINUE : lowered.action,
        counter: firstCounter + ruleAt,
        provenance: Object.freeze(
          rule.span === undefined
            ? { chain: chain.name, rule: ruleAt + 1 }
            : { chain: chain.name, rule: ruleAt + 1, span: rule.span },
        ),
      });
    };
    const count = ruleCount(chain);
    counters += count;
    const base =
      chain.policy === undefined || !isHook(chain.name) ? undefined : baseOf(chain.name, chain.policy, counters++);
    const about = { name: chain.name, ...(base === undefined ? {} : { base }) };
    const columns = columnsOf(chain);
    const reachableFrom = graph.hooksOf(chainAt, count - 1);
    // A chain whose last rule can be reached has no dead ones.
    if (columns === undefined || reachableFrom.length === 0)
      return Object.freeze({ ...about, rules: Object.freeze(chain.rules.map(lower)) });
    const probe = (rule: Rule): LoweredRule | undefined =>
      probeRule(rule, { family, table: table.name, ip: rule.ip, reachableFrom }, chainNumbers);
    return policyChainOfColumns(
      about,
      lowerColumns(columns, { family, chain: chain.name, firstCounter, lower, probe }),
    );
  });

  if (diagnostics.some((item) => item.severity === 'error')) return { diagnostics: Object.freeze(diagnostics) };
  const policy: TablePolicy = Object.freeze({
    family,
    table: table.name,
    chains: Object.freeze(chains),
    states: Object.freeze(states),
    logs: Object.freeze(logs),
    ...(questions.length === 0 ? {} : { questions: Object.freeze(questions) }),
    ...(staged.length === 0 ? {} : { staged: Object.freeze(staged) }),
    counters,
    ...(effects.length === 0 ? {} : { effects: Object.freeze(effects) }),
    conntrack:
      tracked || table.chains.some((chain) => differentRules(chain).some((rule) => tracksConnections(rule, family))),
  });
  const trouble = [...effectTrouble(policy), ...stagedTrouble(policy)];
  return trouble.length > 0
    ? { diagnostics: [...diagnostics, ...trouble] }
    : { policy, diagnostics: Object.freeze(diagnostics) };
}

function hasName({ kind }: StateObject): boolean {
  return kind === 'recent' || kind === 'hashlimit';
}

function tracksConnections(rule: Rule, family: Family): boolean {
  return rule.matches.some((match) => findMatch(match.name, family)?.conntrack === true);
}

const NEVER = Object.freeze([require(FALSE)]);
const CONTINUE = Object.freeze({ kind: 'continue' as const });

function baseOf(hook: Hook, policy: 'ACCEPT' | 'DROP', counter: number): NonNullable<PolicyChain['base']> {
  return Object.freeze({ hook, policy: policy === 'ACCEPT' ? 'accept' : 'drop', counter });
}
