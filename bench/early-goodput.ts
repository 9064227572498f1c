/**
 * A TCP flow through a device that one core floods with packets that the rules drop: how much of it is left, as a share of what it is without
 * the flood, in the same minute. The flow has the other core; 10,000 DROP rules in table raw.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { isErrno } from '../src/kernel/errno.ts';
import { withNamespace } from '../src/kernel/namespace.ts';
import { pinToCpu } from '../src/kernel/packet-socket.ts';
import { indexOfDevice } from '../src/kernel/rtnetlink.ts';
import { injectLiveFrames } from '../src/kernel/test-run.ts';
import { bpfilterEarly, bpfilterFirewall } from '../test/support/bpfilter-firewall.ts';
import { ipBatch } from '../test/support/command.ts';
import { type FirewallKind, kernelFirewall } from '../test/support/firewalls.ts';
import { floodFrame, floodRules, floodTrace, openLane } from './early-drop.ts';
import type { Bench, BenchRow } from './result.ts';
import { createGenerator } from './rivals/arena.ts';
import { sampleOf } from './statistics.ts';

const ROUNDS = 5;
/** A flow begins slowly; then it is measured. */
const [WARM_MS, MEASURED_MS] = [400, 1200];
const [FLOW_CPU, FLOOD_CPU] = [0, 1];
const BATCH = 16 * 1024;
const XDP_TX = 3;
const PORT = 5000;

/** Says how many bytes came in the measured time. */
const SERVER = `
let bytes = 0;
require('net').createServer((socket) => {
  socket.on('data', (data) => { bytes += data.length; });
  socket.on('error', () => {});
  setTimeout(() => { bytes = 0; }, ${WARM_MS});
  setTimeout(() => { console.log(bytes); process.exit(); }, ${WARM_MS + MEASURED_MS});
}).listen(${PORT}, '192.0.2.1', () => console.log('ready'));
`;
const CLIENT = `
const socket = require('net').connect(${PORT}, '192.0.2.1');
const data = Buffer.alloc(65536);
const more = () => { while (socket.write(data)); };
socket.on('connect', more).on('drain', more).on('error', () => process.exit()).on('close', () => process.exit());
`;

function inside(namespace: string, script: string): ChildProcess {
  const args = ['netns', 'exec', namespace, 'taskset', '-c', `${FLOW_CPU}`, process.execPath, '-e', script];
  return spawn('ip', args, { stdio: ['ignore', 'pipe', 'ignore'] });
}

/** Bytes that a flow brings, while `load` is called over and over. */
async function flow(namespace: string, load?: () => void): Promise<number> {
  const server = inside(namespace, SERVER);
  let said = '';
  server.stdout?.on('data', (text: Buffer) => {
    said += text.toString();
  });
  while (!said.includes('ready')) await sleep(5);
  const client = inside(`${namespace}-p`, CLIENT);
  try {
    const end = performance.now() + 10_000;
    while (!/\d+\n$/.test(said)) {
      load?.();
      await sleep(0);
      if (performance.now() > end) throw new Error('the flow does not end');
    }
  } finally {
    client.kill();
    server.kill();
  }
  return Number(/(\d+)\n$/.exec(said)?.[1]);
}

async function compare(): Promise<readonly BenchRow[]> {
  const generator = createGenerator(floodTrace(), 'ipv4', XDP_TX);
  const rows: BenchRow[] = [];
  pinToCpu(FLOOD_CPU);
  try {
    for (const [number, kind] of ([kernelFirewall, bpfilterFirewall, bpfilterEarly] as FirewallKind[]).entries()) {
      const namespace = `bfg-${process.pid}-${number}`;
      openLane(namespace);
      ipBatch(['addr add 192.0.2.2/24 dev bench1'], { namespace: `${namespace}-p` });
      const firewall = kind.open(namespace);
      try {
        firewall.apply({ ipv4: floodRules() });
        const index = withNamespace(`${namespace}-p`, () => indexOfDevice('bench1'));
        const flood = (): void => {
          const frames = { frame: floodFrame(), ifindex: index, repeat: BATCH };
          try {
            withNamespace(`${namespace}-p`, () => injectLiveFrames(generator.program, frames));
          } catch (error) {
            // One of the flow's processes has ended.
            if (!isErrno(error, 'EINTR')) throw error;
          }
        };
        const shares: number[] = [];
        for (let round = 0; round < ROUNDS; round++) {
          const alone = await flow(namespace);
          shares.push((100 * (await flow(namespace, flood))) / alone);
        }
        const { min, median } = sampleOf(shares);
        rows.push({ group: 'goodput under a flood, % of without', name: kind.label, unit: '', min, median });
      } finally {
        firewall.close();
        ipBatch([`netns del ${namespace}`, `netns del ${namespace}-p`]);
      }
    }
  } finally {
    generator.close();
  }
  return rows;
}

export const earlyGoodput: Bench = { name: 'early goodput', run: compare };
