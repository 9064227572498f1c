/** `bpfilter doctor`: every feature tried, one line each. */

import { release } from 'node:os';
import { type Answer, FEATURES, type Feature, probeFeature } from '../kernel/features.ts';
import { withNamespace } from '../kernel/namespace.ts';
import { EXIT, type Invocation } from './command.ts';
import { netnsOf } from './options.ts';
import { textTable } from './text-table.ts';

interface Finding {
  readonly feature: Feature;
  readonly answer: Answer;
}

export async function run({ options, output }: Invocation): Promise<number> {
  const findings = withNamespace(netnsOf(options), () =>
    FEATURES.map((feature): Finding => ({ feature, answer: probeFeature(feature) })),
  );
  output.out(options['json'] === true ? asJson(findings) : asText(findings));
  const missing = findings.filter(({ feature, answer }) => feature.required && answer.kind === 'no');
  if (missing.some(({ feature }) => feature.name === 'permissions')) return EXIT.denied;
  return missing.length > 0 ? EXIT.unsupported : EXIT.done;
}

const SHOWN = { yes: 'yes', no: 'NO', unknown: '?' } as const satisfies Record<Answer['kind'], string>;

function asText(findings: readonly Finding[]): string {
  const rows = findings.map(({ feature, answer }) => [
    SHOWN[answer.kind],
    feature.name,
    feature.required ? 'always' : 'some rules',
    explain(feature, answer),
  ]);
  const columns = [
    { title: 'HAS' },
    { title: 'FEATURE' },
    { title: 'NEEDED' },
    { title: 'WHAT FOR, OR WHAT IS WRONG' },
  ];
  return `Linux ${release()}\n\n${textTable(columns, rows)}`;
}

function explain(feature: Feature, answer: Answer): string {
  switch (answer.kind) {
    case 'yes':
      return answer.detail ?? feature.why;
    case 'no':
      return feature.since === 'any' ? answer.reason : `${answer.reason} (since Linux ${feature.since})`;
    case 'unknown':
      return answer.reason;
  }
}

function asJson(findings: readonly Finding[]): string {
  const features = findings.map(({ feature, answer }) => ({
    name: feature.name,
    required: feature.required,
    since: feature.since,
    why: feature.why,
    answer: answer.kind,
    ...(answer.kind === 'yes' ? { detail: answer.detail } : { reason: answer.reason }),
  }));
  return `${JSON.stringify({ version: 1, release: release(), features }, undefined, 2)}\n`;
}
