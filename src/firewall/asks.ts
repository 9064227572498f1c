/**
 * Putting a generation's questions to the kernel: chains in front of its programs (kernel/ask-chain.ts). They belong to the generation that
 * made a family's programs, ask beside those of the old one until the switch, and go with their generation.
 */

import { MAP_NAMES } from '../codegen/compiled.ts';
import { answerProgram, askProgram } from '../codegen/netfilter/asked.ts';
import { type AskChain, installAskChains, removeAskChains } from '../kernel/ask-chain.ts';
import { waitForGracePeriod } from '../kernel/grace-period.ts';
import type { BpfMap } from '../kernel/map.ts';
import { openPinnedMap } from '../kernel/object.ts';
import { type BpfProgram, loadProgram } from '../kernel/program.ts';
import { FAMILIES, type TableName } from '../packet/netfilter.ts';
import type { Question } from '../policy/question.ts';
import { askedQuestion } from './asked-question.ts';
import type { Layout } from './layout.ts';
import type { FamilyPlan, PlannedQuestions } from './plan.ts';
import type { GenerationState } from './state.ts';
import { stubPriority } from './stub-place.ts';

/** A question about something that the plan's own kernel tables may make: rate estimators. It can only be put once they are loaded. */
export function asksLate(plan: FamilyPlan): boolean {
  return plan.questions.some(({ questions }) => questions.some(({ kind }) => kind === 'rateest'));
}

/**
 * Installs what the plans ask. Stubs must hang already. When it returns, every packet that reaches a stub has been asked about.
 * @throws SyscallError
 */
export function addAsks(layout: Layout, generation: number, plans: readonly FamilyPlan[]): void {
  const asking = plans.filter((plan) => plan.questions.length > 0);
  if (asking.length === 0) return;
  for (const plan of asking) installFamily(layout, generation, plan);
  // A packet that was already past the new chains must not meet the new programs.
  waitForGracePeriod();
}

/** Removes the chains of all generations but the one in force. */
export function keepAsks(state: GenerationState | undefined): void {
  for (const family of FAMILIES) removeAskChains(family, state?.families[family]?.madeBy);
}

function installFamily(layout: Layout, generation: number, plan: FamilyPlan): void {
  const { family } = plan;
  const programs = new Map<number | 'ask', BpfProgram>();
  const maps = new Map<string, BpfMap>();
  try {
    if (plan.compiled.hooks.some((hook) => hook.answers.length > 0))
      maps.set(MAP_NAMES.asked, openPinnedMap(layout.generationMap(generation, family, MAP_NAMES.asked)));
    const programOf = (number: number | 'ask'): number => {
      const known = programs.get(number) ?? loadProgram(number === 'ask' ? askProgram() : answerProgram(number), maps);
      programs.set(number, known);
      return known.fd;
    };
    installAskChains(plan.questions.flatMap((table) => chainsOf(layout, generation, plan, table, programOf)));
  } finally {
    for (const program of programs.values()) program.close();
    for (const map of maps.values()) map.close();
  }
}

function chainsOf(
  layout: Layout,
  generation: number,
  { family, compiled }: FamilyPlan,
  { table, questions }: PlannedQuestions,
  programOf: (number: number | 'ask') => number,
): readonly AskChain[] {
  const hooks = compiled.hooks.filter((hook) => hook.table === table && hook.answers.length > 0);
  const asked = new Set(hooks.flatMap((hook) => hook.answers));
  // A reverse path holds on to nothing.
  const held = questions.filter((question, number) => !asked.has(number) && !inTableOfName(question));
  const common = { family, generation, table };
  return [
    ...(held.length === 0 ? [] : [{ ...common, questions: held.map(askedQuestion) }]),
    ...hooks.flatMap(({ hook, answers }): readonly AskChain[] => {
      const base = { hook, priority: stubPriority(layout, { family, table, hook }) };
      const put = (numbers: readonly number[]): AskChain['questions'] =>
        numbers.map((number) => ({
          ...askedQuestion(questionAt(questions, number, table)),
          answer: programOf(number),
        }));
      const elsewhere = answers.filter((number) => inTableOfName(questionAt(questions, number, table)));
      const here = answers.filter((number) => !elsewhere.includes(number));
      return [
        // First, so that it runs last: the other enters the packet.
        ...(elsewhere.length === 0
          ? []
          : [{ ...common, base, inTables: ['raw', 'mangle'], questions: put(elsewhere) }]),
        { ...common, base, begin: programOf('ask'), questions: put(here) },
      ];
    }),
  ];
}

/** The kernel answers it only in a table called raw or mangle. */
function inTableOfName({ kind }: Question): boolean {
  return kind === 'reversePath' || kind === 'reversePathAsked';
}

function questionAt(questions: readonly Question[], number: number, table: TableName): Question {
  const question = questions[number];
  if (question === undefined) throw new RangeError(`table ${table} has no question ${number}`);
  return question;
}
