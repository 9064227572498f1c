import { describe, expect, it } from 'vitest';
import { lowers } from '../case-runner.ts';
import { multiport } from './multiport.ts';

// Its values need the protocol, which is given before them; their text is tested with the language.
const HEADER = ['require ip.fragOffset = 0', 'hotdrop transport.length = 0-3'];

describe('conditions', () => {
  const last = (text: string) => lowers(multiport, text, { protocol: 6 }).at(-1);

  it('need the ports only', () => {
    expect(lowers(multiport, '--dports 80', { protocol: 6 })).toEqual([...HEADER, 'require transport.dport = 80']);
  });

  it('join ports and ranges', () => {
    expect(last('--sports 443,80,81:90')).toBe('require transport.sport = 80-90|443');
    expect(last('--dports 2,1,1')).toBe('require transport.dport = 1-2');
  });

  it('take either port', () => {
    expect(last('--ports 53,80')).toBe('require (transport.sport = 53|80 or transport.dport = 53|80)');
  });

  it('invert the whole', () => {
    expect(last('! --dports 80')).toBe('require transport.dport = 0-79|81-65535');
    expect(last('! --ports 80')).toBe('require (transport.sport = 0-79|81-65535 and transport.dport = 0-79|81-65535)');
  });
});
