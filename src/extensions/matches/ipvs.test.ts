import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { ipvs } from './ipvs.ts';

describe('ipvs', () => {
  it.each<PrintCase>([
    ['--ipvs', '='],
    ['! --ipvs', '='],
    ['--ipvs --vport http', '--vport 80'],
    ['! --vaddr 1.2.3.4/255.255.255.0', '! --vaddr 1.2.3.4/24'],
    [
      '--vproto tcp --vaddr 1.2.3.4/16 --vport 22 --vdir REPLY ! --vmethod MASQ --vportctl 21',
      '--vproto 6 --vaddr 1.2.3.4/16 --vport 22 --vdir REPLY ! --vmethod MASQ --vportctl 21',
    ],
    ['--vdir reply', 'refused'],
    ['! --vdir REPLY', 'refused'],
    ['--vmethod NAT', 'refused'],
    ['--vport 65536', 'refused'],
    ['', 'refused'],
  ])('%s', (text, expected, context) => {
    expect(printed(ipvs, text, context)).toBe(expected === '=' ? text : expected);
  });
});
