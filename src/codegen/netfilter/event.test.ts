import { describe, expect, it } from 'vitest';
import { filterPolicy } from '../../../test/generate/index.ts';
import { REFERENCE_FACTS } from '../../bpf/reference-facts.ts';
import { packetView } from '../../policy/packet-view.ts';
import { compileGeneration } from '../compile.ts';
import { decodeEvent, EVENT_BYTES, EVENT_PACKET_BYTES } from './event.ts';
import { createSimulation, runHook } from './simulate.ts';

const HEAD = [':INPUT ACCEPT [0:0]', ':FORWARD ACCEPT [0:0]', ':OUTPUT ACCEPT [0:0]', ':watch - [0:0]'];
const RULES = [
  '-A INPUT -j watch',
  '-A OUTPUT -j watch',
  '-A watch -p icmp -j DROP',
  '-A watch -j LOG --log-prefix "seen: " --log-level 4 --log-uid --log-macdecode',
  '-A watch -j NFLOG --nflog-group 7 --nflog-size 64 --nflog-prefix "group seven"',
];
const policy = filterPolicy('ipv4', ...HEAD, ...RULES);
const generation = compileGeneration({ policies: [policy], facts: REFERENCE_FACTS }).generation!;

function eventsOf(hook: 'INPUT' | 'OUTPUT', view: Parameters<typeof packetView>[0]) {
  const compiled = generation.hooks.find((entry) => entry.hook === hook)!;
  const simulation = createSimulation(generation, REFERENCE_FACTS);
  const { events } = runHook(generation, compiled, { view: packetView(view) }, simulation);
  return events.map((event) => decodeEvent(event));
}

/** 400 bytes of UDP. */
const bytes = Uint8Array.from({ length: 400 }, (_, i) => (i === 0 ? 0x45 : i === 9 ? 17 : i & 0xff));
const mac = Uint8Array.from({ length: 14 }, (_, i) => i + 1);

describe('log events', () => {
  it('say who logged what of which packet', () => {
    const [log, nflog, ...more] = eventsOf('INPUT', {
      family: 'ipv4',
      bytes,
      mark: 0xdecade,
      mac,
      in: { name: 'eth0', ifindex: 2 },
    });
    expect(more).toEqual([]);
    expect(log).toMatchObject({
      family: 'ipv4',
      table: 'filter',
      hook: 'INPUT',
      chain: 'watch',
      rule: 2,
      log: { kind: 'LOG', prefix: 'seen: ', level: 4, flags: 0x28 },
      inDevice: 'eth0',
      outDevice: '',
      link: { type: 1, bytes: mac },
      mark: 0xdecade,
      length: 400,
      bytes: bytes.subarray(0, EVENT_PACKET_BYTES),
    });
    expect(log).not.toHaveProperty('owner');
    expect(nflog).toMatchObject({
      rule: 3,
      log: { kind: 'NFLOG', prefix: 'group seven', group: 7, size: 64 },
    });
  });

  it('know the owner of a packet that leaves', () => {
    const [log] = eventsOf('OUTPUT', {
      family: 'ipv4',
      bytes: bytes.subarray(0, 60),
      out: { name: 'lo', ifindex: 1 },
      socket: { file: { uid: 1000, gid: 100 } },
      sender: { classid: 0 },
    });
    expect(log).toMatchObject({ hook: 'OUTPUT', inDevice: '', outDevice: 'lo', owner: { uid: 1000, gid: 100 } });
    expect(log).not.toHaveProperty('link');
    expect(log?.bytes).toEqual(bytes.subarray(0, 60));
  });

  it('are not read from anything else', () => {
    expect(decodeEvent(new Uint8Array(EVENT_BYTES - 1))).toBeUndefined();
    expect(decodeEvent(new Uint8Array(EVENT_BYTES).fill(0xff))).toBeUndefined();
  });
});
