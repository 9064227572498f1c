import { expect, it } from 'vitest';
import { run } from '../../test/support/command.ts';
import { suite } from '../../test/support/suite.ts';
import { exit, mov } from '../bpf/assembly.ts';
import { buildProgram } from '../bpf/builder.ts';
import { FAMILIES, HOOKS } from '../packet/netfilter.ts';
import { attachNetfilter, PriorityTakenError } from './link.ts';
import { withTemporaryNamespace } from './namespace.ts';
import { loadProgram } from './program.ts';

suite('netfilter links', ['root', 'ip', 'iptables', 'btf'], () => {
  const verdict = (value: 0 | 1) => loadProgram(buildProgram('bfk_verdict', 'netfilter', [mov.imm(0, value), exit()]));

  it('hang where they were told to, at every hook of both families', () => {
    const program = verdict(1);
    withTemporaryNamespace(() => {
      for (const family of FAMILIES) {
        for (const hook of HOOKS) {
          const place = { family, hook, priority: -301 } as const;
          const link = attachNetfilter(program, place);
          expect(link.place).toEqual(place);
          expect(link.programId).toBe(program.id);
          link.close();
        }
      }
    });
    program.close();
  });

  it('say when the priority is taken, by BPF or by iptables', () => {
    const program = verdict(1);
    withTemporaryNamespace(() => {
      const place = { family: 'ipv4', hook: 'INPUT', priority: -1 } as const;
      const link = attachNetfilter(program, place);
      expect(() => attachNetfilter(program, place)).toThrow(PriorityTakenError);
      run('iptables-legacy', ['-w', '-nL'], '', { XTABLES_LOCKFILE: '/run/bfk.lock' });
      expect(() => attachNetfilter(program, { ...place, priority: 0 })).toThrow('priority 0 on ipv4 INPUT is taken');
      link.close();
    });
    program.close();
  });

  it('filter until they are detached', () => {
    const program = verdict(0);
    withTemporaryNamespace(() => {
      run('ip', ['link', 'set', 'lo', 'up']);
      const link = attachNetfilter(program, { family: 'ipv4', hook: 'OUTPUT', priority: 7 });
      const connect = (): string => run('bash', ['-c', 'echo x > /dev/udp/127.0.0.1/9 && echo sent || echo refused']);
      expect(connect()).toBe('refused\n');
      link.detach();
      expect(connect()).toBe('sent\n');
      link.close();
    });
    program.close();
  });
});
