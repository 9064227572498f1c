import { expect, it } from 'vitest';
import { DEVICE_KINDS } from '../packet/device-kind.ts';
import { defaultChain, hookText, parseDeviceChain, parseDeviceHook } from './hook.ts';

it('reads hooks as it writes them, and nothing else', () => {
  for (const kind of DEVICE_KINDS) {
    const hook = parseDeviceHook(`${kind}:eth0.5`);
    expect(hook).toEqual({ kind, device: 'eth0.5' });
    expect(hookText(hook!)).toBe(`${kind}:eth0.5`);
  }
  for (const text of ['', 'xdp', 'xdp:', ':eth0', 'tc:eth0', 'XDP:eth0', 'xdp:a b', 'xdp:a/b', 'xdp:0123456789abcdef'])
    expect(parseDeviceHook(text)).toBeUndefined();
});

it('takes built-in chains of tables that filter', () => {
  expect(parseDeviceChain('INPUT')).toEqual({ table: 'filter', hook: 'INPUT' });
  expect(parseDeviceChain('mangle/POSTROUTING')).toEqual({ table: 'mangle', hook: 'POSTROUTING' });
  for (const text of ['', 'input', 'PREROUTING', 'nat/PREROUTING', 'raw/INPUT', 'raw/PREROUTING/x', 'x/INPUT'])
    expect(parseDeviceChain(text)).toBeUndefined();
  expect(defaultChain('xdp').hook).toBe('INPUT');
  expect(defaultChain('tc-egress').hook).toBe('OUTPUT');
});
