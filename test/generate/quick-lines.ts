/** Lines of rules for tests: many that are alike, written in every way, and some that are wrong. */
import fc from 'fast-check';

const octet = fc.oneof(fc.integer({ min: 0, max: 255 }).map(String), fc.constantFrom('256', '01', '010', '0x1', ''));
const plainOctet = fc.integer({ min: 0, max: 255 }).map(String);
const quad = fc.oneof(
  { weight: 12, arbitrary: fc.tuple(plainOctet, plainOctet, plainOctet, plainOctet).map((parts) => parts.join('.')) },
  { weight: 1, arbitrary: fc.tuple(octet, octet, octet, octet).map((parts) => parts.join('.')) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('10.1', '10.0.0.0.1', 'host.example', '2001:db8::1', 'any', '10.0.0.1,10.0.0.2'),
  },
);
const prefix = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 32 }).map((bits) => `/${bits}`) },
  { weight: 4, arbitrary: fc.constantFrom('', '/32') },
  { weight: 1, arbitrary: fc.constantFrom('/0', '/33', '/08', '/255.255.0.0', '/255.0.255.0', '/') },
);
const address = fc.tuple(quad, prefix).map((parts) => parts.join(''));

const port = fc.oneof(
  { weight: 10, arbitrary: fc.integer({ min: 0, max: 65_535 }).map(String) },
  { weight: 1, arbitrary: fc.constantFrom('65536', '080', 'http', '0x50', '-1', '') },
);
const ports = fc.oneof(
  { weight: 4, arbitrary: port },
  { weight: 3, arbitrary: fc.tuple(port, port).map((ends) => ends.join(':')) },
  { weight: 3, arbitrary: fc.tuple(fc.nat(999), fc.nat(999)).map(([low, more]) => `${low}:${low + more}`) },
  { weight: 1, arbitrary: fc.constantFrom('0:65535', ':', '80:', ':80', '80:80') },
);

/** `A`: an address; `P`: ports. Everything else stands as it is. */
const SHAPES = [
  '-A INPUT -s A -j DROP',
  '-A INPUT -s A -d A -j ACCEPT',
  '-A INPUT -s A -p tcp -m tcp --dport P -j DROP',
  '-A INPUT -s A -d A -p udp -m udp --sport P --dport P -j ACCEPT',
  '-A INPUT -p tcp --dport P -d A -j RETURN',
  '-A INPUT -d A -i eth0 -p tcp -m tcp --sport P --tcp-flags FIN,SYN,RST,ACK SYN',
  '-A INPUT -s A -p tcp -m tcp --dport P --syn -j REJECT --reject-with tcp-reset',
  '-A INPUT -s A -m state --state NEW,ESTABLISHED -j ACCEPT',
  '-A INPUT -d A -p tcp -m conntrack --ctstate NEW -m tcp --dport P -j ACCEPT',
  '-A INPUT -s A -m comment --comment same -j DROP',
  '-A OUTPUT -d A -p icmp -m icmp --icmp-type 8 -j DROP',
  '-A OUTPUT -s A -m mark --mark 0x1/0xff -j ACCEPT',
  '-A OUTPUT -d A -j OTHER',
  '-A OTHER -s A -j RETURN',
  '-A OTHER -d A -m limit --limit 5/sec -j ACCEPT',
  '-A OTHER -s A -j LOG --log-prefix x',
  '-A INPUT ! -s A -j DROP',
  '-A INPUT -p tcp -m tcp ! --dport P -s A -j DROP',
  '-A INPUT -p tcp -m multiport --dports P -s A -j DROP',
  '-A INPUT -p tcp -m tcp -m tcp --dport P -j DROP',
  '-A INPUT -s A -s A -j DROP',
  '-A INPUT -c 3 4 -s A -j DROP',
  '-A INPUT --comment -s A -j DROP',
  '-A INPUT -m comment --comment -s A',
  '-A INPUT --dport P -s A -j DROP',
  '-A NONE -s A -j DROP',
  '-A INPUT -s A -j NONE',
  '-A INPUT -6 -s A -j DROP',
  '-A INPUT -j DROP',
] as const;

const spaces = fc.constantFrom(' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', '  ', '\t');
const counters = fc.constantFrom('', '', '', '[0:0] ', '[12:3456] ', '[9007199254740993:1] ', '[1:2]', '[1:x] ');

function lineOf(shape: string): fc.Arbitrary<string> {
  const words = shape.split(' ').map((word) => (word === 'A' ? address : word === 'P' ? ports : fc.constant(word)));
  const plain = fc.tuple(...words).map((parts) => parts.join(' '));
  const odd = fc
    .tuple(counters, spaces, fc.tuple(...words), fc.constantFrom('', '', '', ' ', ' -v', ' "'))
    .map(([count, space, parts, tail]) => count + parts.join(space) + tail);
  return fc.oneof({ weight: 6, arbitrary: plain }, { weight: 1, arbitrary: odd });
}

const BETWEEN = [
  '# a remark',
  ':LATER - [0:0]',
  '-N MORE',
  '-D INPUT 1',
  '-I INPUT -j ACCEPT',
  '-F OTHER',
  '-E OTHER OLD',
  '-Z',
  '',
];

/** Up to 60 lines of a few shapes; now and then a command in between that changes the table. */
export const quickLines: fc.Arbitrary<readonly string[]> = fc
  .uniqueArray(fc.constantFrom(...SHAPES), { minLength: 1, maxLength: 4 })
  .chain((shapes) => {
    const line = fc.oneof(...shapes.map(lineOf));
    const other = fc.constantFrom(...BETWEEN);
    return fc.array(fc.oneof({ weight: 60, arbitrary: line }, { weight: 1, arbitrary: other }), {
      minLength: 8,
      maxLength: 60,
    });
  });

/** Lines that are rules, to be lowered. */
export const quickRules: fc.Arbitrary<readonly string[]> = fc
  .uniqueArray(fc.constantFrom(...SHAPES.slice(0, 16)), { minLength: 1, maxLength: 5 })
  .chain((shapes) => {
    const plainAddress = fc.tuple(
      fc.tuple(plainOctet, plainOctet, plainOctet, plainOctet).map((parts) => parts.join('.')),
      fc.constantFrom('', '/32', '/24', '/8', '/31', '/1', '/0'),
    );
    const low = fc.nat(65_535);
    const range = fc.tuple(low, low).map(([a, b]) => (a === b ? `${a}` : `${Math.min(a, b)}:${Math.max(a, b)}`));
    const value = {
      A: plainAddress.map((parts) => parts.join('')),
      P: fc.oneof(low.map(String), range, fc.constant('22')),
    };
    const line = (shape: string): fc.Arbitrary<string> =>
      fc
        .tuple(...shape.split(' ').map((word) => (word === 'A' || word === 'P' ? value[word] : fc.constant(word))))
        .map((parts) => parts.join(' '));
    return fc.array(fc.oneof(...shapes.map(line)), { minLength: 40, maxLength: 90 });
  });
