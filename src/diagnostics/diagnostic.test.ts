import { expect, it } from 'vitest';
import { CATALOGUE } from './catalogue.ts';
import { diagnostic, formatDiagnostic } from './diagnostic.ts';

const source = { name: 'rules.v4', text: '*filter\n\t-A INPUT -j nonsense\nCOMMIT\n' };

it('prints place, line and caret, as compilers do', () => {
  const span = { source, start: 21, end: 29 };
  const item = diagnostic('unknown-target', span, { name: 'nonsense', table: 'filter' }, [
    { message: 'the table begins here', span: { source, start: 0, end: 7 } },
  ]);
  expect(formatDiagnostic(item)).toBe(
    [
      'rules.v4:2:14: error[unknown-target]: table filter has no chain "nonsense" and there is no target of that name',
      '\t-A INPUT -j nonsense',
      '\t            ^^^^^^^^',
      'rules.v4:1:1: note: the table begins here',
      '*filter',
      '~~~~~~~',
    ].join('\n'),
  );
});

it('has codes and texts of one form', () => {
  for (const [code, entry] of Object.entries(CATALOGUE)) {
    expect(code).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
    expect(entry.text).not.toMatch(/[.!]$/);
  }
});
