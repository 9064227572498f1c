import { describe, expect, it } from 'vitest';
import { lowers, type PrintCase, printed } from '../case-runner.ts';
import { time } from './time.ts';

describe('time', () => {
  it.each<PrintCase>([
    ['--timestart 8:00 --timestop 18:00', '--timestart 08:00:00 --timestop 18:00:00 --datestop 2038-01-19T03:14:07'],
    ['--timestart 08:00:30 --timestop 24:00', 'refused'],
    ['--timestart 0:0:0 --timestop 23:59:59', '--datestop 2038-01-19T03:14:07'],
    ['--timestart 8', 'refused'],
    ['--timestart 8:60', 'refused'],
    ['--timestart 8:1', '--timestart 08:01:00 --timestop 23:59:59 --datestop 2038-01-19T03:14:07'],
    ['--timestart 008:01', '--timestart 08:01:00 --timestop 23:59:59 --datestop 2038-01-19T03:14:07'],
    ['--timestart 23:59:60', 'refused'],
    ['--weekdays Mon,Tue', '--weekdays Mon,Tue --datestop 2038-01-19T03:14:07'],
    ['--weekdays mo,1,7', 'refused'],
    ['! --weekdays Mon', '--weekdays Tue,Wed,Thu,Fri,Sat,Sun --datestop 2038-01-19T03:14:07'],
    ['--weekdays Mon,Tue,Wed,Thu,Fri,Sat,Sun', '--datestop 2038-01-19T03:14:07'],
    ['--weekdays 0', 'refused'],
    ['--weekdays Foo', 'refused'],
    ['--weekdays M', 'refused'],
    ['--weekdays T', 'refused'],
    ['--weekdays Monday', '--weekdays Mon --datestop 2038-01-19T03:14:07'],
    ['--weekdays Mon,,Tue', 'refused'],
    ['--monthdays 1,2,31', '--monthdays 1,2,31 --datestop 2038-01-19T03:14:07'],
    [
      '! --monthdays 5',
      '--monthdays 1,2,3,4,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31 --datestop 2038-01-19T03:14:07',
    ],
    ['--monthdays 32', 'refused'],
    ['--monthdays 1st', 'refused'],
    ['--monthdays 1-5', 'refused'],
    ['--monthdays 0x5,010', 'refused'],
    [
      '--monthdays 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31',
      '--datestop 2038-01-19T03:14:07',
    ],
    ['--datestart 2024', '--datestart 2024-01-01T00:00:00 --datestop 2038-01-19T03:14:07'],
    ['--datestart 2024-05', '--datestart 2024-05-01T00:00:00 --datestop 2038-01-19T03:14:07'],
    ['--datestart 2024-05-06', '--datestart 2024-05-06T00:00:00 --datestop 2038-01-19T03:14:07'],
    ['--datestart 2024-05-06T07', '--datestart 2024-05-06T07:00:00 --datestop 2038-01-19T03:14:07'],
    ['--datestart 2024-05-06T07:08', '--datestart 2024-05-06T07:08:00 --datestop 2038-01-19T03:14:07'],
    ['--datestart 2024-05-06T07:08:09 --datestop 2025-01-01T00:00:00', '='],
    ['--datestart 2024-05-06T24:00:00', 'refused'],
    ['--datestart 2024-5-6T7:8:9', '--datestart 2024-05-06T07:08:09 --datestop 2038-01-19T03:14:07'],
    ['--datestart 2024-13', 'refused'],
    ['--datestart 2024-02-30', '--datestart 2024-03-01T00:00:00 --datestop 2038-01-19T03:14:07'],
    ['--datestart 2024-04-31', '--datestart 2024-05-01T00:00:00 --datestop 2038-01-19T03:14:07'],
    ['--datestart 1970', '--datestop 2038-01-19T03:14:07'],
    ['--datestop 1970', '--datestop 1970-01-01T00:00:00'],
    ['--datestart 1969', 'refused'],
    ['--datestart 2038-01-19T03:14:07', '--datestart 2038-01-19T03:14:07 --datestop 2038-01-19T03:14:07'],
    ['--datestart 2038-01-19T03:14:08', '--datestart 2038-01-19T03:14:08 --datestop 2038-01-19T03:14:07'],
    ['--datestop 2038-01-19T03:14:07', '='],
    ['--datestop 2037', '--datestop 2037-01-01T00:00:00'],
    ['--datestop 2039', 'refused'],
    ['--datestart 2025 --datestop 2024', '--datestart 2025-01-01T00:00:00 --datestop 2024-01-01T00:00:00'],
    ['--datestart "2024-05-06 07:08"', 'refused'],
    ['--datestart 2024-05-06T', '--datestart 2024-05-06T00:00:00 --datestop 2038-01-19T03:14:07'],
    ['--datestart 2024-05-06T07:08:60', 'refused'],
    ['--datestart 2024-05-06t07:08:09', 'refused'],
    ['--datestart 2024-05-06T07:08:09Z', 'refused'],
    ['--kerneltz', '--datestop 2038-01-19T03:14:07 --kerneltz'],
    ['--contiguous', 'refused'],
    [
      '--timestart 22:00 --timestop 6:00 --contiguous --kerneltz --weekdays Fri',
      '--timestart 22:00:00 --timestop 06:00:00 --weekdays Fri --datestop 2038-01-19T03:14:07 --kerneltz --contiguous',
    ],
    [
      '--timestart 6:00 --timestop 5:00 --contiguous',
      '--timestart 06:00:00 --timestop 05:00:00 --datestop 2038-01-19T03:14:07 --contiguous',
    ],
    ['--timestart 6:00 --timestop 7:00 --contiguous', 'refused'],
    ['', '--datestop 2038-01-19T03:14:07'],
    ['--utc', '--datestop 2038-01-19T03:14:07'],
    ['--localtz', '--datestop 2038-01-19T03:14:07 --kerneltz'],
    [
      '--timestop 23:59:59 --timestart 00:00:01',
      '--timestart 00:00:01 --timestop 23:59:59 --datestop 2038-01-19T03:14:07',
    ],
    ['--timestart 1:2:3:4', 'refused'],
    ['--timestart +1:2', '--timestart 01:02:00 --timestop 23:59:59 --datestop 2038-01-19T03:14:07'],
    ['--timestart " 1:2"', '--timestart 01:02:00 --timestop 23:59:59 --datestop 2038-01-19T03:14:07'],
    ['--timestart 24:00', 'refused'],
    ['--timestart 24:01', 'refused'],
    [
      '--kerneltz --weekdays Sun ! --monthdays 1 --datestop 2030-01-01 --timestart 5:00',
      '--timestart 05:00:00 --timestop 23:59:59 --monthdays 2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31 --weekdays Sun --datestop 2030-01-01T00:00:00 --kerneltz',
    ],
    ['--weekdays mon', 'refused'],
    ['--weekdays MONDAY', 'refused'],
    ['--weekdays Monx', '--weekdays Mon --datestop 2038-01-19T03:14:07'],
    ['--weekdays 07', '--weekdays Sun --datestop 2038-01-19T03:14:07'],
    ['--datestart 02024-05', '--datestart 2024-05-01T00:00:00 --datestop 2038-01-19T03:14:07'],
    ['--datestart 2024-05-32', 'refused'],
    ['--utc --kerneltz', 'refused'],
    ['! --weekdays 1,2,3,4,5,6,7', '--weekdays "" --datestop 2038-01-19T03:14:07'],
    ['--weekdays ""', '--weekdays "" --datestop 2038-01-19T03:14:07'],
    ['--weekdays 8', 'refused'],
    ['--monthdays 0', 'refused'],
    ['--datestart 2024-00', 'refused'],
  ])('%s', (text, expected, context) => {
    expect(printed(time, text, context)).toBe(expected === '=' ? text : expected);
  });
});

describe('conditions', () => {
  it('--timestart 22:00 --timestop 06:00 --contiguous --weekdays Mon', () => {
    expect(lowers(time, '--timestart 22:00 --timestop 06:00 --contiguous --weekdays Mon')).toMatchInlineSnapshot(`
      [
        "require (clock.seconds = 0-0x7fffffff and ((clock.daytime = 0-21600 and clock.weekdayBefore = 1) or (clock.daytime = 79200-86399 and clock.weekday = 1)))",
      ]
    `);
  });
});
