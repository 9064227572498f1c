import { describe, expect, it } from 'vitest';
import { policiesOf } from '../../test/generate/policies.ts';
import { mostStaged } from './staged.ts';

const ASK = '-m connlimit --connlimit-above 3';

function most(...lines: readonly string[]): number {
  return mostStaged(policiesOf(`*filter\n${lines.join('\n')}\nCOMMIT\n`, 'ipv4')[0]!, 'INPUT');
}

describe('how many questions a packet can meet', () => {
  it('adds those of one way up', () => {
    expect(most('-A INPUT -j ACCEPT', `-A FORWARD ${ASK}`)).toBe(0);
    expect(most(`-A INPUT ${ASK}`, `-A INPUT ${ASK} ${ASK.replace('3', '4')} -j DROP`)).toBe(3);
    expect(most(':a - [0:0]', `-A INPUT ${ASK} -j a`, '-A INPUT -p tcp -j a', `-A a ${ASK}`)).toBe(3);
    expect(most(':a - [0:0]', `-A INPUT ${ASK} -g a`, `-A INPUT ${ASK}`, `-A INPUT ${ASK}`, `-A a ${ASK}`)).toBe(3);
  });

  it('counts rules once that no packet can meet together', () => {
    const ports = Array.from({ length: 40 }, (_, at) => `-A INPUT -p tcp -m tcp --dport ${at} ${ASK} -j DROP`);
    expect(most(...ports)).toBe(1);
    expect(most(...ports, `-A INPUT -p tcp -m tcp --dport 7:9 ${ASK}`)).toBe(2);
    const chains = ['a', 'b', 'c'].flatMap((name, at) => [
      `-A INPUT -p tcp -m tcp --dport ${at} -j ${name}`,
      `-A ${name} ${ASK} -j DROP`,
      `-A ${name} ${ASK} -j DROP`,
    ]);
    expect(most(':a - [0:0]', ':b - [0:0]', ':c - [0:0]', ...chains)).toBe(2);
    expect(most(`-A INPUT -s 10.0.0.0/8 ${ASK}`, `-A INPUT -s 11.0.0.0/8 ${ASK}`)).toBe(1);
    expect(most(`-A INPUT -p tcp ${ASK}`, `-A INPUT -p udp ${ASK}`, `-A INPUT ! -p tcp ${ASK}`)).toBe(2);
  });

  it('refuses tables where a packet can meet too many', () => {
    const rules = Array.from({ length: 9 }, () => `-A INPUT ${ASK}`);
    expect(most(...rules.slice(1))).toBe(8);
    expect(() => most(...rules)).toThrow('a packet can meet 9 matches that only the kernel can evaluate');
  });

  it('refuses tables that ask behind what the kernel carries out last', () => {
    expect(() => most(`-A INPUT -j SET --add-set x src`, `-A INPUT ${ASK}`)).toThrow('has changed before it');
    expect(() => most('-A INPUT -j MARK --set-xmark 0x1/0x1', `-A INPUT ${ASK}`)).toThrow('has changed before it');
    expect(most('-A INPUT -j MARK --set-xmark 0x1/0x1', '-A INPUT -m nfacct --nfacct-name x')).toBe(1);
    expect(() => most('-A INPUT -j MARK --set-xmark 0x1/0x1', '-A INPUT -m socket --restore-skmark')).toThrow();
  });
});
