/** Reads the `.t` files of iptables: one case a line, `rule;expected save text;OK or FAIL`. */

import { FAMILIES, type Family, isTableName, type TableName } from '../../src/packet/netfilter.ts';

export interface TCase {
  readonly line: number;
  readonly table: TableName;
  readonly chain: string;
  readonly rule: string;
  /** What must be printed behind `-A CHAIN`; undefined for a rule that must be refused. */
  readonly save: string | undefined;
  readonly expect: 'OK' | 'FAIL' | 'NOMATCH';
}

/** The cases for the legacy variant, one for each chain they name. Lines that run commands of the system are passed over. */
export function readTFile(text: string): readonly TCase[] {
  let chains: readonly string[] = [];
  let table: TableName = 'filter';
  const cases: TCase[] = [];
  for (const [at, line] of text.split('\n').entries()) {
    if (line === '' || /^[#@%]/.test(line)) continue;
    if (line.startsWith(':')) {
      chains = line.slice(1).split(',');
    } else if (line.startsWith('*')) {
      const name = line.slice(1);
      if (!isTableName(name)) return cases;
      table = name;
    } else {
      const [rule = '', save = '', result = '', variant, alt] = line.split(';');
      const expect = legacyResult(result, variant, alt);
      for (const chain of chains) {
        cases.push({
          line: at + 1,
          table,
          chain,
          rule,
          save: expect === 'FAIL' ? undefined : save === '=' ? rule : save,
          expect,
        });
      }
    }
  }
  return cases;
}

/** A variant column says for which program the result holds; for the other it is `alt`, or the opposite. */
function legacyResult(result: string, variant: string | undefined, alt: string | undefined): TCase['expect'] {
  if (variant === undefined || variant === 'LEGACY' || alt === '=') return asResult(result);
  if (alt !== undefined && alt !== '') return asResult(alt);
  return result === 'OK' ? 'FAIL' : 'OK';
}

function asResult(text: string): TCase['expect'] {
  return text === 'OK' || text === 'NOMATCH' ? text : 'FAIL';
}

/** The families a file is for, by its name; none for arptables and ebtables. */
export function familiesOf(file: string): readonly Family[] {
  if (file.startsWith('libipt_')) return ['ipv4'];
  if (file.startsWith('libip6t_')) return ['ipv6'];
  if (file.startsWith('libarpt_') || file.startsWith('libebt_')) return [];
  return file.startsWith('libxt_') ? FAMILIES : ['ipv4'];
}
