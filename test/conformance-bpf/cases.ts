/** Reads the `.data` files of the public BPF conformance suite. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const CASES_FOLDER = fileURLToPath(new URL('../../../shared/conformance/bpf/', import.meta.url));
export const CASES_PRESENT = existsSync(CASES_FOLDER);

export interface ConformanceCase {
  readonly name: string;
  /** Text of the program; lines of other sections are blank, so that line numbers are those of the file. */
  readonly text: string;
  /** What r1 points to; r2 is its length. */
  readonly memory: Uint8Array;
  /** Expected r0, unsigned 64 bit. */
  readonly result: bigint;
  /** Calls through a register. */
  readonly callx: boolean;
}

export function readCases(): ConformanceCase[] {
  if (!CASES_PRESENT) return [];
  const names = readdirSync(CASES_FOLDER).filter((name) => name.endsWith('.data'));
  return names.sort().map((name) => parseCase(name.slice(0, -5), readFileSync(`${CASES_FOLDER}${name}`, 'utf8')));
}

function parseCase(name: string, content: string): ConformanceCase {
  const sections = new Map<string, string[]>();
  let current: string | undefined;
  const lines = content.split('\n');
  lines.forEach((line, index) => {
    const header = /^--\s*(.*\S)\s*$/.exec(line);
    if (header !== null) {
      current = header[1]!;
      sections.set(current, []);
    } else if (current !== undefined) {
      const section = sections.get(current)!;
      while (current === 'asm' && section.length < index) section.push('');
      section.push(line);
    }
  });
  const words = (section: string): string[] =>
    (sections.get(section) ?? []).flatMap((line) => line.replace(/#.*/, '').split(/\s+/).filter(Boolean));
  return {
    name,
    text: (sections.get('asm') ?? []).join('\n'),
    memory: Uint8Array.from(words('mem'), (byte) => Number.parseInt(byte, 16)),
    result: BigInt.asUintN(64, BigInt(words('result')[0] ?? '0')),
    callx: sections.has('no register offset'),
  };
}
