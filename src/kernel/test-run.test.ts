import { expect, it } from 'vitest';
import { run } from '../../test/support/command.ts';
import { suite } from '../../test/support/suite.ts';
import { call, exit, ldx, mov, movStructId } from '../bpf/assembly.ts';
import { buildProgram } from '../bpf/builder.ts';
import { ethernet, ipv4, ipv6 } from '../packet/craft.ts';
import { FAMILIES, HOOKS } from '../packet/netfilter.ts';
import { udp } from '../packet/transport.ts';
import { kernelBtf } from './btf.ts';
import { withTemporaryNamespace } from './namespace.ts';
import { loadProgram } from './program.ts';
import { injectLiveFrames, netfilterInput, prepareTestRun, testRun } from './test-run.ts';

const PACKET = { ipv4: ipv4({}, udp({})), ipv6: ipv6({}, udp({})) };

it('netfilter programs get an Ethernet header where the kernel wants one', () => {
  expect(netfilterInput('ipv4', 'OUTPUT', PACKET.ipv4).data).toEqual(PACKET.ipv4);
  const { data, ctx } = netfilterInput('ipv6', 'FORWARD', PACKET.ipv6);
  expect([...data.subarray(12, 15)]).toEqual([0x86, 0xdd, 0x60]);
  expect([...ctx!.subarray(0, 3)]).toEqual([2, 10, 0]);
});

suite('test runs', ['root', 'ip', 'btf'], () => {
  it('show netfilter programs the packet from L3 on, at every hook', () => {
    const skb = kernelBtf().member('bpf_nf_ctx', 'skb')!.offset;
    const data = kernelBtf().member('sk_buff', 'data')!.offset;
    // The first byte of the packet is at skb->data: version and header length.
    const code = [
      ldx.dw(6, 1, skb),
      ldx.dw(1, 6, data),
      movStructId(2, 'iphdr'),
      call.kfunc('bpf_rdonly_cast'),
      ldx.b(1, 0, 0),
      mov.imm(0, 0),
      // 0x45 and 0x60 differ in bit 5
      { kind: 'insn', insn: { opcode: 0x57, dst: 1, src: 0, offset: 0, imm: 0x20 } },
      { kind: 'insn', insn: { opcode: 0x15, dst: 1, src: 0, offset: 1, imm: 0 } },
      mov.imm(0, 1),
      exit(),
    ] as const;
    const program = loadProgram(buildProgram('bfk_first', 'netfilter', code));
    for (const family of FAMILIES) {
      for (const hook of HOOKS) {
        const { retval } = testRun(program, netfilterInput(family, hook, PACKET[family]));
        expect(retval, `${family} ${hook}`).toBe(family === 'ipv6' ? 1 : 0);
      }
    }
    expect(() => testRun(program, netfilterInput('ipv4', 'INPUT', PACKET.ipv4.subarray(0, 10)))).toThrow('EINVAL');
    program.close();
  });

  it('measure, and see bytes that changed between runs', () => {
    const code = [
      mov.reg(6, 1),
      { kind: 'insn', insn: { opcode: 0x30, dst: 0, src: 0, offset: 0, imm: 0 } },
      exit(),
    ] as const;
    const program = loadProgram(buildProgram('bfk_byte', 'socket_filter', code));
    const data = new Uint8Array(20);
    const again = prepareTestRun(program, { data, repeat: 1000 });
    // A socket filter's data begin behind the Ethernet header.
    data[14] = 9;
    expect(again().retval).toBe(9);
    data[14] = 200;
    expect(again()).toMatchObject({ retval: 200 });
    expect(again().durationNs).toBeLessThan(10_000);
    program.close();
  });

  it('inject frames into the stack', () => {
    withTemporaryNamespace(() => {
      const place = ['link', 'add', 'bfk0', 'type', 'veth', 'peer', 'name', 'bfk1'];
      run('ip', place);
      for (const name of ['bfk0', 'bfk1']) run('ip', ['link', 'set', name, 'up']);
      const [device] = JSON.parse(run('ip', ['-j', 'link', 'show', 'bfk0'])) as { ifindex: number; address: string }[];
      const program = loadProgram(buildProgram('bfk_pass', 'xdp', [mov.imm(0, 2), exit()]));
      const destination = BigInt(`0x${device!.address.replaceAll(':', '')}`);
      const frame = ethernet({ destination }, PACKET.ipv4);
      injectLiveFrames(program, { frame, ifindex: device!.ifindex, repeat: 500 });
      program.close();
      // Forwarding is off and the address is not ours: the stack counts it as such, 500 times.
      const counters = run('nstat', ['-az', 'IpInReceives', 'IpInAddrErrors', 'IpExtInNoRoutes'], '', {
        NSTAT_HISTORY: '/dev/null',
      });
      expect(counters).toMatch(/IpInReceives\s+500\s/);
    });
  });
});
