/**
 * The report of a command line: what the parsers of rules find wrong is said in iptables' words, and the first fault
 * ends the reading, as it does there.
 */

import type { DiagnosticCode } from '../../../diagnostics/catalogue.ts';
import type { SourceText } from '../../../diagnostics/source.ts';
import type { Report } from '../report.ts';
import { createReport } from '../report.ts';
import { combinationWords, excluding, GID_FIRST, type LateFault, refusedLate, valueWords } from './own-words.ts';
import { badParameter, type Program, type Stop } from './stop.ts';
import { type Failed, INVALID_ARGUMENT, OUT_OF_RANGE } from './table-edit.ts';

type Params = Readonly<Record<string, string | number>>;

/** What is being read when a fault is found. */
export interface Reading {
  /** Letter of the base option, or name of the match or target whose option it is. */
  about: string;
  /** The value as it was written. */
  value: string;
  /** What the kernel, not the program, will say: noticed when the table is loaded. */
  refusedByKernel: Failed | undefined;
}

/** Faults that are looked for elsewhere, at iptables' own time. */
const LATER: readonly DiagnosticCode[] = ['drop-in-nat', 'interface-in-chain', 'option-not-with-command'];
/** Faults that only the kernel finds. */
const BY_KERNEL: readonly DiagnosticCode[] = ['protocol-required', 'wrong-table', 'wrong-hook'];

/** A report that throws Stop at the first fault. */
export function strictReport(source: SourceText, program: Program, reading: Reading): Report {
  const plain = createReport(source);
  return {
    ...plain,
    add(code, _place, params = {}) {
      if (LATER.includes(code)) return;
      if (BY_KERNEL.includes(code)) {
        reading.refusedByKernel = INVALID_ARGUMENT;
        return;
      }
      const late = laterFault(code, params, reading);
      if (late === undefined) throw faultOf(code, params, program, reading);
      reading.refusedByKernel = late === 'range' ? OUT_OF_RANGE : INVALID_ARGUMENT;
    },
  };
}

function laterFault(code: DiagnosticCode, params: Params, { about, value }: Reading): LateFault | undefined {
  if (code === 'option-excludes' && about === 'cgroup') return 'invalid';
  if (code !== 'bad-value') return undefined;
  return refusedLate(about, String(params['option'] ?? '').replace(/^--/, ''), value);
}

/** The words for a fault. */
export function faultOf(code: DiagnosticCode, params: Params, program: Program, reading: Reading): Stop {
  return badParameter(program, messageOf(code, params, reading));
}

function messageOf(code: DiagnosticCode, params: Params, { about, value }: Reading): string {
  const option = String(params['option'] ?? '').replace(/^--/, '');
  switch (code) {
    case 'cannot-invert':
      if (about === 'm') return 'unexpected ! flag before --match';
      if (about.length === 1) return `cannot have ! before -${about === 'g' ? 'j' : about}`;
      return `${about}: option "--${option}" cannot be inverted.\n`;
    case 'repeated-option':
      if (about.length === 1) return `multiple -${about === 'g' ? 'j' : about} flags not allowed`;
      return `${about}: option "--${option}" can only be used once.\n`;
    case 'bad-interface':
      if (value === '') return 'Empty interface is likely to be undesired';
      return `interface name \`${value}' must be shorter than IFNAMSIZ (15)`;
    case 'bad-protocol':
      return `unknown protocol "${value.toLowerCase()}" specified`;
    case 'protocol-never-matches':
      return 'rule would never match protocol';
    case 'wrong-family':
      if (about === 'f') return "`-f' is not supported in IPv6, use -m frag instead";
      return `Couldn't load match \`${value}':No such file or directory\n`;
    case 'unknown-match':
      return `Couldn't load match \`${value}':No such file or directory\n`;
    case 'removed-target':
      return `Couldn't load target \`${value}':No such file or directory\n`;
    case 'missing-value':
      if (about === 'c') return '-c requires packet and byte counter';
      return `option "${params['option'] ?? ''}" requires an argument`;
    case 'bad-counters':
      if (value.startsWith(',')) return '-c requires packet and byte counter';
      return /^\s*[+-]?\d/.test(value) ? '-c byte counter not numeric' : '-c packet counter not numeric';
    case 'bad-mask':
      return `invalid mask \`${params['mask'] ?? ''}' specified`;
    case 'bad-address':
    case 'host-name':
      return `host/network \`${params['address'] ?? params['name'] ?? ''}' not found`;
    case 'inverted-list':
      return '! not allowed with multiple source or destination IP addresses';
    case 'missing-option':
      return `${about}: option "--${params['option'] ?? ''}" must be specified\n`;
    case 'option-excludes':
      return excludes(about, excluding(about, option, String(params['other'] ?? '')));
    case 'option-requires':
      if (about === 'owner') return GID_FIRST;
      return `${about}: option "--${option}" also requires "--${params['other'] ?? ''}".\n`;
    case 'bad-value':
      return (
        valueWords(about, option, value, String(params['why'] ?? '')) ??
        valueMessage(about, option, value, String(params['why'] ?? ''))
      );
    case 'bad-combination':
      return combinationWords(about, String(params['why'] ?? '')) ?? `${about}: ${params['why'] ?? ''}`;
    default:
      return `${about}: ${code}`;
  }
}

const excludes = (about: string, [one, other]: readonly [string, string]): string =>
  `${about}: option "--${one}" cannot be used together with "--${other}".\n`;

/** How xtoptions.c and the helpers of libxtables complain about a value. */
function valueMessage(about: string, option: string, value: string, why: string): string {
  const number = /^"(.*)" is not a number from (\d+) to (\w+)$/.exec(why);
  if (number !== null) {
    const [, , low, high] = number;
    if (high === '0xffffffff') return `${about}: bad integer value for option "--${option}", or out of range.\n`;
    const near = RANGES.has(`${about} ${option}`) ? ` near "${remaining(value, number[1] ?? '')}"` : '';
    return `${about}: bad value for option "--${option}"${near}, or out of range (${low}-${high}).\n`;
  }
  const port = /^"(.*)" is neither a port number nor the name of a service$/.exec(why);
  if (port !== null) return `invalid port/service \`${port[1]}' specified`;
  if (/^the range ".*" ends before it begins$/.test(why)) {
    return about === 'multiport' ? 'invalid portrange specified' : 'invalid portrange (min > max)';
  }
  const state = /^"(.*)" is not a (connection state|address type|connection status)/.exec(why);
  if (state !== null) return `${STATES[`${about} ${option}`] ?? `Bad ${option}`} "${state[1]}"`;
  if (option === 'log-level') return `log level "${value}" unknown\n`;
  if (about === 'limit') return `bad rate "${value}"'`;
  if (about === 'REJECT') return `unknown reject type "${value}"`;
  if (about === 'pkttype') return `Bad packet type '${value}'`;
  const zone = /^"(.*)" is not a zone/.exec(why);
  if (zone !== null) return `Cannot parse ${zone[1]} as a zone ID`;
  return `${about}: bad value for option "--${option}": ${why}`;
}

/** Options that take a range: their messages name the part that cannot be read. */
const RANGES: ReadonlySet<string> = new Set([
  'length length',
  'ah ahspi',
  'esp espspi',
  'ipcomp ipcompspi',
  'connbytes connbytes',
  'conntrack ctexpire',
  'tcpmss mss',
]);

const STATES: Readonly<Record<string, string>> = {
  'state state': 'Bad state',
  'conntrack ctstate': 'Bad ctstate',
  'conntrack ctstatus': 'Bad ctstatus',
  'addrtype src-type': 'addrtype: bad type',
  'addrtype dst-type': 'addrtype: bad type',
};

/** The value from the faulty part on. */
function remaining(value: string, part: string): string {
  const at = value.indexOf(part);
  return at <= 0 ? value : value.slice(at);
}
