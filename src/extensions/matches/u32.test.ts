import { describe, expect, it } from 'vitest';
import { type CaseContext, lowers, type PrintCase, printed } from '../case-runner.ts';
import { u32 } from './u32.ts';

describe('u32', () => {
  it.each<PrintCase>([
    ['--u32 0x0=0x0&&0x0=0x1', '--u32 "0x0=0x0&&0x0=0x1"'],
    ['--u32 "6 & 0xFF = 1"', '--u32 "0x6&0xff=0x1"'],
    [
      '--u32 "6&0xFF=1 && 4&0x3FFF=0 && 0>>22&0x3C@0>>24=8"',
      '--u32 "0x6&0xff=0x1&&0x4&0x3fff=0x0&&0x0>>0x16&0x3c@0x0>>0x18=0x8"',
    ],
    ['--u32 6&0xFF=1:5,7', '--u32 "0x6&0xff=0x1:0x5,0x7"'],
    ['! --u32 6=1:5,7', '! --u32 "0x6=0x1:0x5,0x7"'],
    ['--u32 6<<3=1', '--u32 "0x6<<0x3=0x1"'],
    ['--u32 6<<32=1', 'refused'],
    ['--u32 6>>40=1', 'refused'],
    ['--u32 6=', 'refused'],
    ['--u32 6', 'refused'],
    ['--u32 ""', 'refused'],
    ['--u32 6=5:1', '--u32 "0x6=0x5:0x1"'],
    ['--u32 6=0x100000000', 'refused'],
    ['--u32 6=1:', 'refused'],
    ['--u32 6=:1', 'refused'],
    ['--u32 6=1,', 'refused'],
    ['--u32 6=1&&', 'refused'],
    ['--u32 =1', 'refused'],
    ['--u32 010=010', '--u32 "0x8=0x8"'],
    ['--u32 "6=1 && "', 'refused'],
    [
      '--u32 1=1&&2=1&&3=1&&4=1&&5=1&&6=1&&7=1&&8=1&&9=1&&10=1',
      '--u32 "0x1=0x1&&0x2=0x1&&0x3=0x1&&0x4=0x1&&0x5=0x1&&0x6=0x1&&0x7=0x1&&0x8=0x1&&0x9=0x1&&0xa=0x1"',
    ],
    ['--u32 1=1&&2=1&&3=1&&4=1&&5=1&&6=1&&7=1&&8=1&&9=1&&10=1&&11=1', 'refused'],
    ['--u32 1=1,2,3,4,5,6,7,8,9,10', '--u32 "0x1=0x1,0x2,0x3,0x4,0x5,0x6,0x7,0x8,0x9,0xa"'],
    ['--u32 1=1,2,3,4,5,6,7,8,9,10,11', 'refused'],
    ['--u32 1&1&1&1&1&1&1&1&1&1=1', '--u32 "0x1&0x1&0x1&0x1&0x1&0x1&0x1&0x1&0x1&0x1=0x1"'],
    ['--u32 1&1&1&1&1&1&1&1&1&1&1=1', 'refused'],
    ['--u32 1&1&1&1&1&1&1&1&1&1&1&1=1', 'refused'],
    ['--u32 -1=1', 'refused'],
    ['--u32 1=-1', 'refused'],
    ['--u32 0xffffffff=0xffffffff', '--u32 "0xffffffff=0xffffffff"'],
    ['--u32 "1 =1 : 2 , 4"', '--u32 "0x1=0x1:0x2,0x4"'],
    ['--u32 1+2=1', 'refused'],
    ['--u32 1=1=2', 'refused'],
    ['', 'refused'],
    [
      '--u32 "0 >> 22 & 0x3C @ 12 >> 26 & 0x3C @ 0 = 0x5353482D"',
      '--u32 "0x0>>0x16&0x3c@0xc>>0x1a&0x3c@0x0=0x5353482d"',
    ],
    ['--u32 1=08', 'refused'],
    ['--u32 1=1&2=2', 'refused'],
    ['--u32 "  1=1"', '--u32 "0x1=0x1"'],
  ])('%s', (text, expected, context) => {
    expect(printed(u32, text, context)).toBe(expected === '=' ? text : expected);
  });
});

describe('u32 lowers to', () => {
  it.each<[string, readonly string[], CaseContext?]>([
    ['--u32 "6&0xff=6,17"', ['require (meta.length = 10-0xffffffff and network[6:32] & 0xff = 6|17)']],
    [
      '--u32 "0>>28&7=1:4"',
      ['require (meta.length = 4-0xffffffff and network[0:32] & 0x70000000 = 0x10000000-0x40000000)'],
    ],
    ['! --u32 "8=5"', ['require (meta.length = 0-11 or network[8:32] = 0-4|6-0xffffffff)']],
    ['--u32 "8=5:4"', ['require false']],
    [
      '--u32 "0>>22&0x3C@0>>24=9,8:2,8"',
      [
        'require {"kind":"u32","start":0,"steps":[{"operator":">>","operand":22},{"operator":"&","operand":60},{"operator":"@","operand":0},{"operator":">>","operand":24}],"ranges":[{"min":8,"max":9}]}',
      ],
    ],
    [
      '! --u32 "4<<8=1"',
      ['require not {"kind":"u32","start":4,"steps":[{"operator":"<<","operand":8}],"ranges":[{"min":1,"max":1}]}'],
    ],
  ])('%s', (text, expected, context) => {
    expect(lowers(u32, text, context)).toEqual(expected);
  });
});
