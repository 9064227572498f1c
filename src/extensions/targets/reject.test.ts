import { describe, expect, it } from 'vitest';
import { REJECT_WITH } from '../../policy/ir.ts';
import { lowersTarget, printed, refusal } from '../case-runner.ts';
import { reject } from './reject.ts';

const TCP = { protocol: 6 } as const;
const V6 = { family: 'ipv6' } as const;

describe('text for IPv4', () => {
  it.each([
    ['', 'icmp-port-unreachable'],
    ['--reject-with net-unreach', 'icmp-net-unreachable'],
    ['--reject-with net-u', 'icmp-net-unreachable'],
    ['--reject-with icmp-net-p', 'icmp-net-prohibited'],
    ['--reject-with host-prohib', 'icmp-host-prohibited'],
    ['--reject-with admin-prohib', 'icmp-admin-prohibited'],
    ['--reject-with ICMP-PORT-UNREACHABLE', 'icmp-port-unreachable'],
    ['--reject-with icmp', 'icmp-net-unreachable'],
    ['--reject-with ""', 'icmp-net-unreachable'],
    ['--reject-with tcp-rst', 'tcp-reset'],
  ])('%s', (given, expected) => {
    expect(printed(reject, given, TCP)).toBe(`--reject-with ${expected}`);
  });

  it('refuses what there is not', () => {
    expect(printed(reject, '--reject-with echo-reply')).toBe('refused');
    expect(printed(reject, '--reject-with icmp6-no-route')).toBe('refused');
  });
});

describe('text for IPv6', () => {
  it.each([
    ['', 'icmp6-port-unreachable'],
    ['--reject-with no-route', 'icmp6-no-route'],
    ['--reject-with icmp6-a', 'icmp6-adm-prohibited'],
    ['--reject-with addr-unreach', 'icmp6-addr-unreachable'],
    ['--reject-with policy-fail', 'icmp6-policy-fail'],
    ['--reject-with reject-route', 'icmp6-reject-route'],
    ['--reject-with tcp', 'tcp-reset'],
    ['--reject-with icmp6', 'icmp6-no-route'],
  ])('%s', (given, expected) => {
    expect(printed(reject, given, { ...V6, ...TCP })).toBe(`--reject-with ${expected}`);
  });

  it('refuses what there is not', () => {
    expect(printed(reject, '--reject-with not-neighbour', V6)).toBe('refused');
    expect(printed(reject, '--reject-with net-unreach', V6)).toBe('refused');
  });
});

describe('tcp-reset', () => {
  it.each([{}, { protocol: 17 }, { protocol: -6 }, { ...V6, protocol: 58 }])('needs -p tcp, not %j', (context) => {
    expect(refusal(reject, '--reject-with tcp-reset', context)).toContain('needs -p tcp');
  });
});

describe.each(['ipv4', 'ipv6'] as const)('lowering for %s', (family) => {
  it.each(REJECT_WITH[family])('%s', (name) => {
    expect(lowersTarget(reject, `--reject-with ${name}`, { family, ...TCP })).toEqual({ kind: 'reject', with: name });
  });
});
