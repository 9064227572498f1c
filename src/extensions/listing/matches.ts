/** Listings of the other matches. */

import { find, type Listing, plainWords, type SavedOption, textOf, unquoted } from './saved.ts';

const not = (option: SavedOption | undefined, text = '! '): string => (option?.invert === true ? text : '');

export const listState: Listing = (saved) => ` ${not(saved[0])}state ${textOf(saved, 'state')}`;

/** Each criterion as ` [! ]name value`; protocols as numbers. */
export const listConntrack: Listing = (saved) =>
  saved.map(({ name, invert, values }) => ` ${invert ? '! ' : ''}${name} ${values.join(' ')}`).join('');

export const listLimit: Listing = (saved) =>
  ` limit: avg ${textOf(saved, 'limit')} burst ${textOf(saved, 'limit-burst') ?? '5'}`;

export const listComment: Listing = (saved) => ` /* ${unquoted(textOf(saved, 'comment') ?? '')} */`;

export const listMark: Listing = (saved) => ` mark match ${not(saved[0])}${textOf(saved, 'mark')}`;
export const listConnmark: Listing = (saved) =>
  ` connmark match ${not(saved[0], '!')} ${textOf(saved, 'mark')}`.replace('!  ', '! ');

export const listMac: Listing = (saved) => ` MAC ${not(saved[0])}${(textOf(saved, 'mac-source') ?? '').toUpperCase()}`;

/** The name of a single number; ranges stay as they are. */
function accountName(text: string, lookup: ((id: number) => string | undefined) | undefined): string {
  return (/^\d+$/.test(text) ? lookup?.(Number(text)) : undefined) ?? text;
}

export const listOwner: Listing = (saved, { numeric, names }) =>
  saved
    .map(({ name, invert, values }) => {
      const start = invert ? ' ! ' : ' ';
      switch (name) {
        case 'uid-owner':
          return `${start}owner UID match ${accountName(values[0] ?? '', numeric ? undefined : names?.user)}`;
        case 'gid-owner':
          return `${start}owner GID match ${accountName(values[0] ?? '', numeric ? undefined : names?.group)}`;
        case 'socket-exists':
          return `${start}owner socket exists`;
        default:
          return ' incl. suppl. groups';
      }
    })
    .join('');

export const listAddrtype: Listing = (saved) =>
  ` ADDRTYPE match${saved
    .map(({ name, invert, values }) =>
      name.startsWith('limit')
        ? ` ${name.replace('limit-iface', 'limit')}`
        : ` ${name} ${invert ? '!' : ''}${values[0]}`,
    )
    .join('')}`;

export const listIprange: Listing = (saved) =>
  saved
    .map(
      ({ name, invert, values }) =>
        ` ${name === 'src-range' ? 'source' : 'destination'} IP range${invert ? ' !' : ''} ${values[0]}`,
    )
    .join('');

/** A range is written out: `:2` is 0:2. */
function fullRange(text: string): string {
  const [low = '', high] = text.split(':');
  if (high === undefined) return low;
  return `${low === '' ? '0' : low}:${high === '' ? '65535' : high}`;
}

export const listLength: Listing = (saved) =>
  ` length ${not(saved[0], '!')}${fullRange(textOf(saved, 'length') ?? '')}`;
export const listTcpmss: Listing = (saved) =>
  ` tcpmss match ${not(saved[0], '!')}${fullRange(textOf(saved, 'mss') ?? '')}`;

export const listPkttype: Listing = (saved) => ` PKTTYPE ${not(saved[0], '!')}= ${textOf(saved, 'pkt-type')}`;

export const listRecent: Listing = (saved, { family }) => {
  const has = (name: string): boolean => find(saved, name) !== undefined;
  const verb = [
    ['set', 'SET'],
    ['rcheck', 'CHECK'],
    ['update', 'UPDATE'],
    ['remove', 'REMOVE'],
  ].find(([name]) => has(name ?? ''));
  const verbOption = find(saved, verb?.[0] ?? '');
  const number = (name: string, text: string): string => (has(name) ? ` ${text}: ${textOf(saved, name)}` : '');
  const mask =
    textOf(saved, 'mask') ?? (family === 'ipv4' ? '255.255.255.255' : 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff');
  return (
    `${not(verbOption, ' !')} recent: ${verb?.[1] ?? ''}` +
    `${number('seconds', 'seconds')}${has('reap') ? ' reap' : ''}${number('hitcount', 'hit_count')}${has('rttl') ? ' TTL-Match' : ''}` +
    ` name: ${unquoted(textOf(saved, 'name') ?? 'DEFAULT')} side: ${has('rdest') ? 'dest' : 'source'} mask: ${mask}`
  );
};

export const listSet: Listing = (saved) =>
  ` ${saved.map(({ name, invert, values }) => `${invert ? '! ' : ''}${name} ${values.join(' ')}`.trim()).join(' ')}`;

export const listStatistic: Listing = (saved) => {
  const mode = textOf(saved, 'mode');
  const option = find(saved, mode === 'nth' ? 'every' : 'probability');
  if (mode !== 'nth') return ` statistic mode random${not(option, ' !')} probability ${textOf(saved, 'probability')}`;
  const packet = textOf(saved, 'packet');
  return ` statistic mode nth${not(option, ' !')} every ${textOf(saved, 'every')}${packet === undefined || packet === '0' ? '' : ` packet ${packet}`}`;
};

/** ttl and hl. */
export function hopsListing(title: string, prefix: string): Listing {
  return (saved) => {
    const [option] = saved;
    const sign =
      option?.name === `${prefix}-lt`
        ? '<'
        : option?.name === `${prefix}-gt`
          ? '>'
          : option?.invert === true
            ? '!='
            : '==';
    return ` ${title} match ${title} ${sign} ${option?.values[0] ?? ''}`;
  };
}

const ICMP_NAMES: Readonly<Record<string, string>> = {
  '0': 'echo-reply',
  '3': 'destination-unreachable',
  '4': 'source-quench',
  '5': 'redirect',
  '8': 'echo-request',
  '9': 'router-advertisement',
  '10': 'router-solicitation',
  '11': 'time-exceeded',
  '12': 'parameter-problem',
  '13': 'timestamp-request',
  '14': 'timestamp-reply',
  '17': 'address-mask-request',
  '18': 'address-mask-reply',
};
const ICMP_CODES: Readonly<Record<string, string>> = {
  '3/0': 'network-unreachable',
  '3/1': 'host-unreachable',
  '3/2': 'protocol-unreachable',
  '3/3': 'port-unreachable',
  '3/4': 'fragmentation-needed',
  '3/5': 'source-route-failed',
  '3/6': 'network-unknown',
  '3/7': 'host-unknown',
  '3/9': 'network-prohibited',
  '3/10': 'host-prohibited',
  '3/11': 'TOS-network-unreachable',
  '3/12': 'TOS-host-unreachable',
  '3/13': 'communication-prohibited',
  '3/14': 'host-precedence-violation',
  '3/15': 'precedence-cutoff',
  '5/0': 'network-redirect',
  '5/1': 'host-redirect',
  '5/2': 'TOS-network-redirect',
  '5/3': 'TOS-host-redirect',
  '11/0': 'ttl-zero-during-transit',
  '11/1': 'ttl-zero-during-reassembly',
  '12/0': 'ip-header-bad',
  '12/1': 'required-option-missing',
};
const ICMP6_NAMES: Readonly<Record<string, string>> = {
  '1': 'destination-unreachable',
  '2': 'packet-too-big',
  '3': 'time-exceeded',
  '4': 'parameter-problem',
  '128': 'echo-request',
  '129': 'echo-reply',
  '130': 'mld-listener-query',
  '131': 'mld-listener-report',
  '132': 'mld-listener-done',
  '133': 'router-solicitation',
  '134': 'router-advertisement',
  '135': 'neighbour-solicitation',
  '136': 'neighbour-advertisement',
  '137': 'redirect',
};
const ICMP6_CODES: Readonly<Record<string, string>> = {
  '1/0': 'no-route',
  '1/1': 'communication-prohibited',
  '1/2': 'beyond-scope',
  '1/3': 'address-unreachable',
  '1/4': 'port-unreachable',
  '1/5': 'failed-policy',
  '1/6': 'reject-route',
  '3/0': 'ttl-zero-during-transit',
  '3/1': 'ttl-zero-during-reassembly',
  '4/0': 'bad-header',
  '4/1': 'unknown-header-type',
  '4/2': 'unknown-option',
};

function icmpListing(
  option: string,
  prefix: string,
  types: Readonly<Record<string, string>>,
  codes: Readonly<Record<string, string>>,
): Listing {
  return (saved, { numeric }) => {
    const text = textOf(saved, option) ?? 'any';
    const invert = not(find(saved, option), '!');
    const [type = '', code] = (text === 'any' ? '255' : text).split('/');
    const name = code === undefined ? types[type] : codes[text];
    if (!numeric && text === 'any') return ` ${prefix} ${invert}any`;
    if (!numeric && name !== undefined) return ` ${prefix} ${invert}${name}`;
    const low = code === undefined ? '' : code.includes(':') ? ` codes ${code.replace(':', '-')}` : ` code ${code}`;
    return invert === '' ? ` ${prefix}type ${type}${low}` : ` ${prefix} !type ${type}${low}`;
  };
}

export const listIcmp = icmpListing('icmp-type', 'icmp', ICMP_NAMES, ICMP_CODES);
export const listIcmp6 = icmpListing('icmpv6-type', 'ipv6-icmp', ICMP6_NAMES, ICMP6_CODES);

export const listConnlimit: Listing = (saved, { family }) => {
  const above = find(saved, 'connlimit-above');
  const count = above ?? find(saved, 'connlimit-upto');
  const side = find(saved, 'connlimit-daddr') === undefined ? 'src' : 'dst';
  const bits = textOf(saved, 'connlimit-mask') ?? (family === 'ipv4' ? '32' : '128');
  return ` #conn ${side}/${bits} ${above === undefined ? '<=' : '>'} ${count?.values[0] ?? ''}`;
};

export const listConnbytes: Listing = (saved) => {
  const option = find(saved, 'connbytes');
  const range = (option?.values[0] ?? '').replace(/:$/, '');
  return `${not(option, ' !')} connbytes ${range} connbytes mode ${textOf(saved, 'connbytes-mode')} connbytes direction ${textOf(saved, 'connbytes-dir')}`;
};

export const listConnlabel: Listing = (saved) => {
  const label = find(saved, 'label');
  return ` connlabel${not(label, ' !')} ${unquoted(label?.values[0] ?? '')}${find(saved, 'set') === undefined ? '' : ' set'}`;
};

/** ` name [! ]value` */
export function namedValue(title: string, option: string, mark = '! '): Listing {
  return (saved) => ` ${title} ${not(find(saved, option), mark)}${unquoted(textOf(saved, option) ?? '')}`;
}

export const listCgroup: Listing = (saved) => ` cgroup ${not(saved[0])}${unquoted(saved[0]?.values[0] ?? '')}`;
export const listHelper: Listing = (saved) => ` helper match ${not(saved[0])}"${unquoted(saved[0]?.values[0] ?? '')}"`;
export const listQuota: Listing = (saved) => ` quota: ${textOf(saved, 'quota')} bytes`;
export const listRpfilter: Listing = (saved) => ` rpfilter${plainWords(saved)}`;
export const listSocket: Listing = (saved) => ` socket${saved.map(({ name }) => ` --${name}`).join('')}`;
export const listDscp: Listing = (saved) => ` DSCP match ${not(saved[0], '!')}${textOf(saved, 'dscp')}`;

export const listEcn: Listing = (saved) =>
  ` ECN match${saved
    .map(({ name, invert, values }) => {
      const start = invert ? ' !' : ' ';
      return name === 'ecn-ip-ect'
        ? `${start}ECT=${values[0]}`
        : `${start}${name.replace('ecn-tcp-', '').toUpperCase()}`;
    })
    .join('')}`;

export const listString: Listing = (saved) => {
  const option = find(saved, 'string') ?? find(saved, 'hex-string');
  const part = (name: string, title: string, idle: string): string => {
    const value = textOf(saved, name);
    return value === undefined || value === idle ? '' : ` ${title} ${value}`;
  };
  const icase = find(saved, 'icase') === undefined ? '' : ' ICASE';
  return (
    ` STRING match ${not(option, '!')} ${option?.values[0]?.startsWith('"') === true ? option.values[0] : `"${option?.values[0] ?? ''}"`}` +
    ` ALGO name ${textOf(saved, 'algo')}${part('from', 'FROM', '0')}${part('to', 'TO', '65535')}${icase}`
  );
};

const TOS_NAMES: Readonly<Record<string, string>> = {
  '0x10/0x3f': 'Minimize-Delay',
  '0x08/0x3f': 'Maximize-Throughput',
  '0x04/0x3f': 'Maximize-Reliability',
  '0x02/0x3f': 'Minimize-Cost',
  '0x00/0x3f': 'Normal-Service',
};

export const listTos: Listing = (saved, { numeric }) => {
  const value = textOf(saved, 'tos') ?? '';
  const name = numeric ? undefined : TOS_NAMES[value];
  const start = not(saved[0], '!');
  return name === undefined ? ` tos match${start}${value}` : ` tos match${start} ${name}`;
};

export const listU32: Listing = (saved) => ` u32 ${not(saved[0])}${textOf(saved, 'u32')}`;
export const listOsf: Listing = (saved) =>
  ` OS fingerprint match ${not(saved[0])}${unquoted(textOf(saved, 'genre') ?? '')}`;

export const listRealm: Listing = (saved) => ` ${not(saved[0])}realm ${textOf(saved, 'realm')}`;

export const listPolicy: Listing = (saved, { numeric }) => {
  let text = ' policy match';
  let element = 0;
  const several = find(saved, 'next') !== undefined;
  for (const { name, invert, values } of saved) {
    if (name === 'next') text += ` [${++element}]`;
    else if (name === 'strict') text += ` strict${several ? ' [0]' : ''}`;
    else {
      const value = name === 'proto' && numeric ? (PROTOCOLS[values[0] ?? ''] ?? values[0]) : values[0];
      text += ` ${invert ? '! ' : ''}${name} ${value}`;
    }
  }
  return text;
};

const PROTOCOLS: Readonly<Record<string, string>> = { esp: '50', ah: '51', ipcomp: '108' };

/** The program ends with a NUL, and no blank stands before it: so it is with libxt_bpf. */
export const listBpf: Listing = (saved) => {
  const path = textOf(saved, 'object-pinned');
  if (path !== undefined) return `match bpf pinned ${unquoted(path)}`;
  return `match bpf ${unquoted(saved[0]?.values.join(' ') ?? '').replace(/^\d+,/, '')}\0`;
};
