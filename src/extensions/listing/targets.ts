/** Listings of targets. */

import { find, type Listing, plainWords, textOf, unquoted } from './saved.ts';

const LEVELS = ['emerg', 'alert', 'crit', 'err', 'warn', 'notice', 'info', 'debug'];
const LOG_FLAGS: readonly (readonly [string, number, string])[] = [
  ['log-tcp-sequence', 1, 'tcp-sequence'],
  ['log-tcp-options', 2, 'tcp-options'],
  ['log-ip-options', 4, 'ip-options'],
  ['log-uid', 8, 'uid'],
  ['log-macdecode', 32, 'macdecode'],
];

export const listLog: Listing = (saved, { numeric }) => {
  const level = Number(textOf(saved, 'log-level') ?? '4');
  const given = LOG_FLAGS.filter(([name]) => find(saved, name) !== undefined);
  const bits = given.reduce((sum, [, bit]) => sum | bit, 0);
  const prefix = textOf(saved, 'log-prefix');
  const what = numeric
    ? ` flags ${bits} level ${level}`
    : ` level ${LEVELS[level] ?? level}${given.map(([, , name]) => ` ${name}`).join('')}`;
  return ` LOG${what}${prefix === undefined ? '' : ` prefix "${unquoted(prefix)}"`}`;
};

export const listNflog: Listing = (saved) => plainWords(saved);

export const listReject: Listing = (saved) => ` reject-with ${textOf(saved, 'reject-with')}`;

/** `--set-xmark value/mask` in the words of the operation that it is. */
export const listMark: Listing = (saved) => ` MARK ${markOperation(textOf(saved, 'set-xmark') ?? '')}`;

function markOperation(text: string): string {
  const [value = '', mask = ''] = text.split('/');
  const [bits, of] = [BigInt(value), BigInt(mask)];
  if (bits === 0n) return `and 0x${(~of & 0xffff_ffffn).toString(16)}`;
  if (bits === of) return `or ${value}`;
  if (of === 0n) return `xor ${value}`;
  if (of === 0xffff_ffffn) return `set ${value}`;
  return `xset ${value}/${mask}`;
}

export const listConnmark: Listing = (saved) => {
  const set = textOf(saved, 'set-xmark');
  const shift = saved.find(({ name }) => name.endsWith('-shift-mark'));
  const shifted = shift === undefined ? '' : ` ${shift.name} ${shift.values[0]}`;
  if (set !== undefined) return ` CONNMARK ${markOperation(set)}${shifted}`;
  const verb = find(saved, 'save-mark') === undefined ? 'restore' : 'save';
  const [nf, ct] = [textOf(saved, 'nfmask'), textOf(saved, 'ctmask')];
  if (nf === ct) return ` CONNMARK ${verb}${nf === undefined || nf === '0xffffffff' ? '' : ` mask ${nf}`}${shifted}`;
  return verb === 'save'
    ? ` CONNMARK save nfmask ${nf} ctmask ~${ct}${shifted}`
    : ` CONNMARK restore ctmask ${ct} nfmask ~${nf}${shifted}`;
};

const NAT_FLAGS = ['random', 'random-fully', 'persistent'];

/** DNAT and SNAT. */
export const listNat: Listing = (saved) => {
  const to = textOf(saved, 'to-destination') ?? textOf(saved, 'to-source');
  const flags = NAT_FLAGS.filter((name) => find(saved, name) !== undefined);
  return `${to === undefined ? '' : ` to:${to}`}${flags.map((name) => ` ${name}`).join('')}`;
};

export const listMasquerade: Listing = (saved) => {
  const ports = textOf(saved, 'to-ports');
  const flags = NAT_FLAGS.filter((name) => find(saved, name) !== undefined);
  return `${ports === undefined ? '' : ` masq ports: ${ports}`}${flags.map((name) => ` ${name}`).join('')}`;
};

export const listRedirect: Listing = (saved) => {
  const ports = textOf(saved, 'to-ports');
  const flags = NAT_FLAGS.filter((name) => find(saved, name) !== undefined);
  return `${ports === undefined ? '' : ` redir ports ${ports}`}${flags.map((name) => ` ${name}`).join('')}`;
};

export const listNetmap: Listing = (saved) => ` to:${textOf(saved, 'to')}`;
export const listTee: Listing = (saved) => {
  const device = textOf(saved, 'oif');
  return ` TEE gw:${textOf(saved, 'gateway')}${device === undefined ? '' : ` oif=${device}`}`;
};

export const listTproxy: Listing = (saved, { family }) => {
  const any = family === 'ipv4' ? '0.0.0.0' : '::';
  const address = textOf(saved, 'on-ip') ?? any;
  const mark = textOf(saved, 'tproxy-mark') ?? '0x0/0x0';
  return ` TPROXY redirect ${address}:${textOf(saved, 'on-port') ?? '0'} mark ${mark}`;
};

/** TTL and HL. */
export function hopsTarget(title: string, prefix: string): Listing {
  return (saved) => {
    const [option] = saved;
    const what =
      option?.name === `${prefix}-inc` ? 'increment by' : option?.name === `${prefix}-dec` ? 'decrement by' : 'set to';
    return ` ${title} ${what} ${option?.values[0] ?? ''}`;
  };
}

export const listAudit: Listing = (saved) => ` AUDIT ${textOf(saved, 'type')}`;
export const listClassify: Listing = (saved) =>
  ` CLASSIFY set ${(textOf(saved, 'set-class') ?? '').replace(/(^|:)0+(?=[0-9a-f])/g, '$1')}`;
export const listConnsecmark: Listing = (saved) => ` CONNSECMARK ${saved[0]?.name ?? ''}`;
export const listCt: Listing = (saved) =>
  find(saved, 'notrack') === undefined ? ` CT${plainWords(saved)}` : ' CT notrack';
export const listDscp: Listing = (saved) => ` DSCP set ${textOf(saved, 'set-dscp')}`;
export const listIdletimer: Listing = (saved) =>
  ` timeout:${textOf(saved, 'timeout')} label:${textOf(saved, 'label')}${find(saved, 'alarm') === undefined ? '' : ' alarm'}`;

export const listNfqueue: Listing = (saved) => {
  const balance = textOf(saved, 'queue-balance');
  const bypass = find(saved, 'queue-bypass') === undefined ? '' : ' bypass';
  const fanout = find(saved, 'queue-cpu-fanout') === undefined ? '' : ' cpu-fanout';
  const what = balance === undefined ? `num ${textOf(saved, 'queue-num') ?? '0'}` : `balance ${balance}`;
  return ` NFQUEUE ${what}${bypass}${fanout}`;
};

export const listRateest: Listing = (saved) =>
  ` name ${textOf(saved, 'rateest-name')} interval ${textOf(saved, 'rateest-interval')} ewmalog ${textOf(saved, 'rateest-ewmalog')}`;

export const listSynproxy: Listing = (saved) => ` SYNPROXY${plainWords(saved)} `;

export const listTcpmss: Listing = (saved) => {
  const value = textOf(saved, 'set-mss');
  return value === undefined ? ' TCPMSS clamp to PMTU' : ` TCPMSS set ${value}`;
};

const TCP_OPTIONS: Readonly<Record<string, string>> = {
  '1': 'nop',
  '2': 'mss',
  '3': 'wscale',
  '4': 'sack-permitted',
  '5': 'sack',
  '8': 'timestamp',
  '19': 'md5',
};

export const listTcpoptstrip: Listing = (saved, { numeric }) => {
  const list = textOf(saved, 'strip-options');
  if (list === undefined) return '';
  const names = list.split(',').map((number) => (numeric ? number : (TCP_OPTIONS[number] ?? number)));
  return ` TCPOPTSTRIP options ${names.join(',')}`;
};

const TOS_NAMES: Readonly<Record<string, string>> = {
  '0x10/0x3f': 'Minimize-Delay',
  '0x08/0x3f': 'Maximize-Throughput',
  '0x04/0x3f': 'Maximize-Reliability',
  '0x02/0x3f': 'Minimize-Cost',
  '0x00/0x3f': 'Normal-Service',
};

export const listTos: Listing = (saved, { numeric }) => {
  const text = textOf(saved, 'set-tos') ?? '';
  if (numeric) return ` TOS set ${text}`;
  const name = TOS_NAMES[text];
  if (name !== undefined) return `  TOS set${name}`;
  const [value = '', mask = ''] = text.split('/');
  const [bits, of] = [Number(value), Number(mask)];
  const hex = (number: number): string => `0x${number.toString(16).padStart(2, '0')}`;
  if (bits === 0) return ` TOS and ${hex(~of & 0xff)}`;
  if (bits === of) return ` TOS or ${value}`;
  if (of === 0) return ` TOS xor ${value}`;
  return ` TOS set ${text}`;
};

/** SNPT and DNPT. */
export function nptListing(name: string): Listing {
  return (saved) => ` ${name} src-pfx ${textOf(saved, 'src-pfx')} dst-pfx ${textOf(saved, 'dst-pfx')}`;
}

const hex = (text: string | undefined): string => `0x${Number(text ?? '0').toString(16)}`;

export const listHmark: Listing = (saved) => {
  let text = ' HMARK ';
  const modulus = textOf(saved, 'hmark-mod');
  if (modulus !== undefined) text += `mod ${modulus} `;
  if (textOf(saved, 'hmark-offset') !== undefined) text += `+ ${hex(textOf(saved, 'hmark-offset'))} `;
  for (const { name, values } of saved) {
    const short = name.replace(/^hmark-/, '');
    if (short === 'mod' || short === 'offset') continue;
    text += short === 'rnd' ? `rnd ${hex(values[0])} ` : `${[short, ...values].join(' ')} `;
  }
  return text;
};
