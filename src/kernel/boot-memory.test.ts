import {
  chmodSync,
  chownSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rememberedForBoot } from './boot-memory.ts';
import { readKernelFacts } from './facts.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bpfilter-boot-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('what is remembered until the next boot', () => {
  const path = (): string => join(folder, 'a', 'kept.json');
  let asked = 0;
  const ask = (question: string, lasting = true): number =>
    rememberedForBoot(path(), question, () => ({ answer: ++asked, lasting }));

  it('is asked for once, and again where the question is another', () => {
    const first = ask('one');
    expect(ask('one')).toBe(first);
    const second = ask('two');
    expect(second).toBe(first + 1);
    expect(ask('two')).toBe(second);
    expect(ask('one')).toBe(first);
    for (let more = 0; more < 300; more++) ask(`more ${more}`);
    expect(ask('one')).toBe(asked);
    expect(asked).toBe(second + 301);
    expect(readdirSync(join(folder, 'a'))).toEqual(['kept.json']);
  });

  it('is not what may change before', () => {
    expect(ask('one', false)).not.toBe(ask('one', false));
  });

  it.each([
    ['another boot', () => change((text) => text.replace(/"boot":"[^"]*"/, '"boot":"another"'))],
    ['half a file', () => change((text) => text.slice(0, -5))],
    ['a file that others may write', () => chmodSync(path(), 0o666)],
    ['a file of somebody else', () => chownSync(path(), 65_534, 65_534)],
    [
      'a link',
      () => {
        const text = readFileSync(path(), 'utf8');
        writeFileSync(join(folder, 'else'), text, { mode: 0o600 });
        rmSync(path());
        symlinkSync(join(folder, 'else'), path());
      },
    ],
  ])('is asked for again: %s', (_what, spoil) => {
    const first = ask('one');
    spoil();
    const second = ask('one');
    expect(second).toBe(first + 1);
    // What it was asked for has taken the place of what was there.
    expect(ask('one')).toBe(second);
  });

  function change(edit: (text: string) => string): void {
    writeFileSync(path(), edit(readFileSync(path(), 'utf8')));
  }

  it('is done without where it cannot be written', () => {
    writeFileSync(join(folder, 'a'), '');
    expect(ask('one')).not.toBe(ask('one'));
  });
});

describe('the facts of the kernel', () => {
  it('are the same from the file as from the kernel', () => {
    const file = join(folder, 'facts.json');
    const asked = readKernelFacts(file);
    expect(Object.values(JSON.parse(readFileSync(file, 'utf8')).answers)).toMatchObject([{ hz: asked.hz }]);
    expect(readKernelFacts(file)).toEqual(asked);
  });
});
