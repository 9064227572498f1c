/**
 * The conditions of docs/early-drop.md in the code, and which test fails without each: `npm run mutants` takes them out one at a time.
 *
 * Not here: what the verifier insists on (room for notes, for the bytes summed up), and that only TCP and UDP go on, which the look-up of connections
 * sees to as well; and a nexthop object, behind which anything may lie where a route has its next hop.
 *
 * `take` is what to take out (it occurs once in `file`), `put` what comes in its place; `test` the file that has the case, `only` words of its name.
 */

const XDP = 'src/codegen/xdp';
const CONDITIONS = 'test/differential/early-conditions.test.ts';
const GATES = 'test/differential/early-gates.test.ts';

const of = (file, test) => (name, only, take, put) => ({
  name,
  file: `${XDP}/${file}.ts`,
  test,
  only,
  take,
  ...(put === undefined ? {} : { put }),
});

const applied = (name, only, take, put) => ({
  ...gate(name, only, take, put),
  file: 'src/firewall/early-gate.ts',
});

const stub = of('stub', CONDITIONS);
const prologue = of('prologue', CONDITIONS);
const tracking = of('tracking-gate', GATES);
const gate = of('gate', GATES);
const route = of('route-gate', GATES);
const local = of('local-ipv4', GATES);
const lookup = of('route-lookup', GATES);

export const MUTANTS = [
  // Frame and device
  stub('generation 0', 'generation word', "    jeq.imm(R3, 0, 'pass'),\n    and.imm(R3, 1),", '    and.imm(R3, 1),'),
  stub('the other generation', 'generation word', '    and.imm(R3, 1),', '    mov.imm(R3, 1),'),
  stub(
    'EtherType',
    'another EtherType',
    "jne.imm(R9, TYPE.ipv6, 'pass'),\n    at('ip'),\n",
    "at('ip'),\n    mov.imm(R9, TYPE.ipv4),\n",
  ),
  stub('MAC address', 'foreign MAC', "    jne.reg(R1, R7, 'pass'),\n"),
  stub('devices on top', 'macvlan', "jne.reg(R1, R2, 'pass')", 'mov.imm(R1, 0)'),
  stub('tc', 'tc at', "ldx.dw(R1, R8, place('net_device.tcx_ingress')),\n    jne.imm(R1, 0, 'pass'),"),
  stub('nftables', 'nftables at', "ldx.dw(R1, R8, place('net_device.nf_hooks_ingress')),\n    jne.imm(R1, 0, 'pass'),"),
  stub('tag beside the frame', 'tag beside', "jne.imm(R1, 0, 'pass'),\n    at('untagged'),", "at('untagged'),"),
  stub('tags taken out', 'takes tags', "and.reg(R1, R2), jne.imm(R1, 0, 'pass')]", 'and.reg(R1, R2)]'),
  stub(
    'no IPv6 on the device',
    'too small for IPv6',
    "jeq.imm(R1, 0, 'pass'),\n    ...readKernel('w', R1, R1, place('inet6_dev",
    "...readKernel('w', R1, R1, place('inet6_dev",
  ),
  stub('IPv6 switched off', 'switched off', "jne.imm(R1, 0, 'pass'),\n    ...family('ipv6'),", "...family('ipv6'),"),
  prologue('IPv4: version', 'version 5', 'jne.imm(R1, 0x45, pass)', 'and.imm(R1, 15), jne.imm(R1, 5, pass)'),
  prologue('IPv4: options', 'options', 'jne.imm(R1, 0x45, pass)', 'rsh.imm(R1, 4), jne.imm(R1, 4, pass)'),
  prologue('IPv4: first fragments', 'first fragment', '0x3fff', '0x1fff'),
  prologue('IPv4: later fragments', 'later fragment', '0x3fff', '0x2000'),
  prologue('IPv4: checksum', 'wrong checksum', '    jne.imm(R0, 0xffff, pass),\n'),
  prologue('length within the frame', 'longer than the frame', '    jgt.reg(R5, R0, pass),\n'),
  prologue('IPv6: version', 'version 4', '    jne.imm(R1, 6, pass),\n'),
  prologue(
    'IPv6: multicast source',
    'multicast source',
    'jeq.imm(R1, 0xff, pass),\n    ldx.b(R1, R2, at14 + 24)',
    'ldx.b(R1, R2, at14 + 24)',
  ),
  prologue(
    'IPv6: multicast destination',
    'multicast destination',
    'jeq.imm(R1, 0xff, pass),\n    ldx.dw(R1, R2, at14 + 8)',
    'ldx.dw(R1, R2, at14 + 8)',
  ),
  prologue(
    'IPv6: source in ::/64',
    'loopback source',
    'jeq.imm(R1, 0, pass),\n    ldx.dw(R1, R2, at14 + 24)',
    'ldx.dw(R1, R2, at14 + 24)',
  ),
  prologue(
    'IPv6: destination in ::/64',
    'loopback destination',
    'jeq.imm(R1, 0, pass),\n    ldx.h(R5, R2, at14 + 4)',
    'ldx.h(R5, R2, at14 + 4)',
  ),
  prologue('IPv6: extension headers', 'header ', '  jumpIfExtensionHeader(ctx, R4, pass);\n'),
  prologue(
    'TCP: whole header',
    'TCP header cut',
    'jeq.imm(COUNTERS, TCP, targets.pass)',
    'jeq.imm(COUNTERS, 255, targets.pass)',
  ),
  prologue('TCP: payload', 'GRO could merge', '    jsgt.imm(R5, 0, pass),\n'),
  // Hooks
  gate('hook may be followed', 'there before', 'jset.imm(R1, GATE_FLAGS[hook], known),\n    ja(pass)', 'ja(known)'),
  gate('list of hooks', 'in the place', 'jne.reg(R1, R2, pass),\n    jeq.imm(R1, 0, same)', 'jeq.imm(R1, 0, same)'),
  gate('number of hooks', 'another number of hooks', 'jne.reg(R1, R2, pass),\n    ...tables', '...tables'),
  gate(
    "rules of the kernel's tables",
    'own table',
    '      jne.reg(R1, R2, pass),\n    ];\n  }).flat',
    '    ];\n  }).flat',
  ),
  applied('before all, at the apply', 'between our', 'else if (before.length > 0)', 'else if (false)'),
  applied('before a chain, at the apply', 'there before', 'if (others.length === 0) flags', 'flags'),
  applied("rules of the kernel's tables, at the apply", 'own rules, there', ' || !filters(family, table)', ' || true'),
  // Tracking
  tracking('INVALID is logged', 'is logged', 'and.imm(R1, 0xff),\n    jne.imm(R1, 0, pass),'),
  tracking(
    'expected connections',
    'is expected',
    "jne.imm(R1, 0, pass),\n    ...readKernel('w', R7, R7, place('nf_conntrack_net.count'))",
    "...readKernel('w', R7, R7, place('nf_conntrack_net.count'))",
  ),
  tracking('room for an entry', 'table of connections is full', '    jge.reg(R7, R1, pass),\n'),
  tracking('TCP: SYN alone', 'SYN', '    jne.imm(R1, TCP_FLAGS.syn, pass),\n'),
  tracking('TCP: header at least', 'offset below', 'jlt.imm(R1, TCP_HEADER, pass),', ''),
  tracking('TCP: header at most', 'offset beyond', '    jgt.reg(R1, R7, pass),\n    ja(sum),', '    ja(sum),'),
  tracking(
    'UDP: length',
    'a wrong length',
    'jne.reg(R1, R7, pass),\n    ldx.h(R1, R2, transport + 6)',
    'ldx.h(R1, R2, transport + 6)',
  ),
  tracking('checksum', 'wrong checksum', '    jne.imm(R0, 0xffff, pass),\n'),
  tracking(
    'entries',
    'with an entry',
    "    jeq.imm(R0, 0, none),\n    mov.reg(R1, R0),\n    call.kfunc('bpf_ct_release'),\n    ja(pass),\n    at(none),\n",
    "    jeq.imm(R0, 0, none),\n    mov.reg(R1, R0),\n    call.kfunc('bpf_ct_release'),\n    st.w(R10, OPTIONS + 4, -ENOENT),\n    at(none),\n",
  ),
  // Route
  route('mark', 'mark: true', 'jne.imm(R1, 0, pass),\n    at(unmarked)', 'at(unmarked)'),
  gate('rules of routing', 'local, from', '    jeq.imm(R1, 0, pass),\n    ...readKernel', '    ...readKernel'),
  gate(
    'rules of routing: the first',
    'before table local',
    '    jne.reg(R1, R2, pass),\n    at(usual)',
    '    at(usual)',
  ),
  route('realms', 'with realms', "tclassid_users')),\n    jne.imm(R1, 0, pass),", "tclassid_users')),"),
  route('addresses 0/8', '0.0.0.9', 'jeq.imm(register, 0, pass),'),
  route('addresses 127/8', '127.0.0.1', 'jeq.imm(register, 127, pass),'),
  route('addresses 224/3', '224.0.0', 'jgt.imm(register, 223, pass),'),
  route(
    'of the source, too',
    'source',
    'stx.w(R10, CELLS.source, R1),\n    ...unlessOrdinary(R1, pass),',
    'stx.w(R10, CELLS.source, R1),',
  ),
  route('rules of its own: the source', 'behind table local', "...flag('net.ipv4.fib_has_custom_rules'),"),
  route('local routes of its own: the source', 'a local route', "...flag('net.ipv4.fib_has_custom_local_routes'),"),
  route(
    'source our own',
    'our own source',
    '{ local: pass, other: valid, doubtful: pass }',
    '{ local: valid, other: valid, doubtful: pass }',
  ),
  route('rp_filter', 'rp_filter', 'jeq.imm(R7, 0, unfiltered)', 'ja(unfiltered)'),
  route('the way back', 'the way bac', ', jne.reg(R1, R2, pass)', ''),
  lookup('a route', 'no way back|nowhere', 'jne.imm(R0, FORWARDED.noNeighbour, pass)', 'ja(forwarded)'),
  local('local: type', 'broadcast', 'jne.imm(R1, RTN_LOCAL, other)', 'mov.imm(R1, 0)'),
  local('local: type of service', 'type of service', "...bytes('fib_alias.fa_dscp'),\n    jne.imm(R1, 0, doubtful),"),
  local(
    'local: lightweight tunnel',
    'into a light',
    "nhc_lwtstate')),\n    jne.imm(R1, 0, doubtful),",
    "nhc_lwtstate')),",
  ),
  route(
    'IPv6: routes by source',
    'routes by source',
    "fib6_routes_require_src')),\n    jne.imm(R1, 0, pass),",
    "fib6_routes_require_src')),",
  ),
  route('IPv6: route to the address', 'address gone', 'jne.imm(R1, 0, local),\n    ja(pass)', 'ja(local)'),
  lookup(
    'IPsec: policies',
    'a policy of IPsec',
    "policy_count') + 4 * way),\n      jne.imm(R1, 0, pass),",
    "policy_count') + 4 * way),",
  ),
  lookup('IPsec: defaults', 'by default', 'jne.imm(R1, XFRM.accept, pass),'),
  lookup(
    'IPv4: last hop',
    "'its last hop",
    "jlt.imm(R1, 2, pass),\n      ...header('h', R1, 0)",
    "...header('h', R1, 0)",
  ),
  lookup(
    'IPv6: last hop',
    "'its last hop",
    "jlt.imm(R1, 2, pass),\n      ...header('w', R1, 0)",
    "...header('w', R1, 0)",
  ),
  lookup('IPv4: too big', 'longer than', ', and.imm(R1, DONT_FRAGMENT), jne.imm(R1, 0, pass)', ''),
  lookup(
    'IPv6: too big',
    'longer than',
    "if (family === 'ipv6') out.emit(ja(pass));\n  else",
    "if (family === 'ipv4')",
  ),
  lookup('another device', 'out where it came in', '    jeq.reg(R1, R2, pass),\n'),
  lookup(
    'IPv6: forwarding',
    'forwarding off',
    "jeq.imm(R1, 0, pass),\n    ...readKernel('w', R1, R7, place('ipv6_devconf.proxy_ndp')),",
    "...readKernel('w', R1, R7, place('ipv6_devconf.proxy_ndp')),",
  ),
  lookup(
    'IPv6: proxy_ndp of all',
    'answered for',
    'jne.imm(R1, 0, pass),\n    ldx.dw(R1, R10, CELLS.device)',
    'ldx.dw(R1, R10, CELLS.device)',
  ),
  lookup(
    'IPv6: proxy_ndp of the device',
    'for by the device',
    "place('ipv6_devconf.proxy_ndp')),\n    jne.imm(R1, 0, pass),\n  ];",
    "place('ipv6_devconf.proxy_ndp')),\n  ];",
  ),
];
