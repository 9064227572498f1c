/** Matches and targets of iptables 1.8.9 that complain in words of their own, where others leave it to libxtables. Scripts look for them. */

/** Nothing of what is needed at least was given. */
const NOTHING_GIVEN: Readonly<Record<string, string>> = {
  CONNSECMARK: 'CONNSECMARK target: parameter required',
  DSCP: 'DSCP target: Parameter --set-dscp is required',
  ECN: 'ECN target: An operation is required',
  MARK: 'MARK: One of the --set-xmark, --{and,or,xor,set}-mark options is required',
  TOS: 'TOS: An action is required',
  conntrack: 'conntrack: At least one option is required',
  dscp: 'DSCP match: Parameter --dscp is required',
  iprange: "iprange match: You must specify `--src-range' or `--dst-range'",
  multiport: 'multiport expection an option',
  string: "STRING match: You must specify `--string' or `--hex-string'",
  ttl: "TTL match: You must specify one of `--ttl-eq', `--ttl-lt', `--ttl-gt",
};

/** Of `--suppl-groups` alone or in front. */
export const GID_FIRST = 'owner: Bad value for "--suppl-groups" option: "you need to use --gid-owner first"';

/** Combinations that are refused with other words than ours: [about, what we say, what iptables says]. */
const COMBINATIONS: readonly (readonly [string, RegExp, string])[] = [
  [
    'policy',
    /^--tunnel-src and --tunnel-dst need/,
    'policy match: --tunnel-src/--tunnel-dst is only valid in tunnel mode',
  ],
  ['owner', /^--suppl-groups must come after/, GID_FIRST],
];

/** What a match or target says of options that do not go together; undefined: what all say. */
export function combinationWords(about: string, why: string): string | undefined {
  if (/^at least one of |^it must be said what to do/.test(why)) return NOTHING_GIVEN[about];
  const empty = about === 'policy' ? /^element (\d+) of the policy asks for nothing/.exec(why) : null;
  if (empty !== null)
    return `policy match: empty policy element ${Number(empty[1]) - 1}. --strict is in effect, but at least one of reqid, spi, tunnel-src, tunnel-dst, proto or mode is required.`;
  return COMBINATIONS.find(([name, pattern]) => name === about && pattern.test(why))?.[2];
}

/** How the kernel says what the program does not: EINVAL or ERANGE. */
export type LateFault = 'invalid' | 'range';

/** Values that iptables lets through and the kernel, or the library that knows it, refuses when the table is loaded. */
export function refusedLate(about: string, option: string, value: string): LateFault | undefined {
  const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
  switch (`${about} ${option}`) {
    case 'recent hitcount':
      return number > 0xffff && number <= 0xffff_ffff ? 'invalid' : undefined;
    case 'connlabel label':
      return number > 127 ? 'range' : undefined;
    case 'NFQUEUE queue-balance':
      return value === '0:65535' ? 'invalid' : undefined;
    default:
      return undefined;
  }
}

const NAT = ['DNAT', 'SNAT', 'MASQUERADE', 'REDIRECT', 'NETMAP'];

/** What a match or target says of a value; undefined: what all say. */
export function valueWords(about: string, option: string, value: string, why: string): string | undefined {
  const port = /^"([^"]*)" is (?:not a port number|neither a port number)/.exec(why);
  if (port !== null && NAT.includes(about)) return `Port \`${from(value, port[1] ?? '')}' not valid`;
  if (NAT.includes(about) && why.endsWith('ends before it begins'))
    return `Port range \`${value.slice(value.lastIndexOf('-') + 1)}' funky`;
  if (port !== null && about === 'udp') return `Port "${port[1]}" does not resolve to anything.\n`;
  switch (`${about} ${option}`) {
    case 'AUDIT type':
      return `Bad action type value "${value}"`;
    case 'DSCP set-dscp-class':
    case 'dscp dscp-class':
      return `Invalid DSCP value \`${value}'`;
    case 'recent hitcount':
      return 'recent: bad value for option "--hitcount", or out of range (0-4294967295).\n';
    case 'NFQUEUE queue-balance':
      return balanceWords(value);
    case 'TCPOPTSTRIP strip-options':
      return /^"[01]"/.test(why) ? 'Option value may not be 0 or 1' : undefined;
    case 'connbytes connbytes': {
      const [low, high] = value.split(':');
      return why.endsWith('ends before it begins') ? `${low} should be less than ${high}` : undefined;
    }
    case 'connbytes connbytes-mode':
      return `Unknown --connbytes-mode \`${value}'`;
    case 'connbytes connbytes-dir':
      return `Unknown --connbytes-dir \`${value}'`;
    case 'mac mac-source':
      return 'Invalid MAC address specified.';
    case 'string string':
      return why.startsWith('more than') ? `STRING too long "${value}"` : undefined;
    case 'tcpmss mss':
      return why.endsWith('ends before it begins') ? 'tcpmss: invalid range given' : undefined;
    case 'tos tos':
    case 'TOS set-tos':
      return why.includes('type of service') ? `Symbolic name "${value}" is unknown` : undefined;
    default:
      return undefined;
  }
}

/** Two numbers up to 65535, the second the greater (xtopt_parse_mint, NFQUEUE_parse_v1). */
function balanceWords(value: string): string | undefined {
  let rest = value;
  for (const part of value.split(':')) {
    if (part !== '' && !(/^\d+$/.test(part) && Number(part) <= 0xffff))
      return `NFQUEUE: bad value for option "--queue-balance" near "${rest}", or out of range (0-65535).\n`;
    rest = rest.slice(part.length + 1);
  }
  const [low = '', high] = value.split(':');
  if (high === undefined) return `Bad range "${value}"`;
  return Number(low) >= Number(high) && high !== '' ? `${Number(low)} should be less than ${Number(high)}` : undefined;
}

/** The value from its faulty part on. */
function from(value: string, part: string): string {
  const at = value.lastIndexOf(part);
  return at <= 0 || part === '' ? value : value.slice(at);
}

/** Options that exclude each other, in the order in which the match or target has them: the first is the one that is complained about. */
const ORDER: Readonly<Record<string, readonly string[]>> = {
  DSCP: ['set-dscp', 'set-dscp-class'],
  HL: ['hl-dec', 'hl-inc', 'hl-set'],
  TTL: ['ttl-dec', 'ttl-inc', 'ttl-set'],
  addrtype: ['limit-iface-in', 'limit-iface-out'],
  dscp: ['dscp', 'dscp-class'],
};

/** Which of two options that exclude each other is named first. */
export function excluding(about: string, one: string, other: string): readonly [string, string] {
  const order = ORDER[about] ?? [];
  const [at, and] = [order.indexOf(one), order.indexOf(other)];
  return at > and && and !== -1 ? [other, one] : [one, other];
}
