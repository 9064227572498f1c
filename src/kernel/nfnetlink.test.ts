import { mkdirSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { run } from '../../test/support/command.ts';
import { suite } from '../../test/support/suite.ts';
import { exit, mov } from '../bpf/assembly.ts';
import { buildProgram } from '../bpf/builder.ts';
import { FAMILIES } from '../packet/netfilter.ts';
import { bpffsRoot } from './bpffs.ts';
import { withTemporaryNamespace } from './namespace.ts';
import { nftTransaction } from './netlink-socket.ts';
import {
  type BridgeSpec,
  disableConntrack,
  enableConntrack,
  installBridge,
  readNftState,
  removeBridge,
  removeNftTables,
} from './nfnetlink.ts';
import { destroyTable, newChain, newRule, newTable, reject } from './nft-objects.ts';
import { pin } from './object.ts';
import { loadProgram } from './program.ts';

const ruleset = (): string => run('nft', ['list', 'ruleset']);

suite('our nf_tables', ['root', 'ip', 'nft', 'btf'], () => {
  let folder: string;
  let spec: BridgeSpec;
  beforeAll(() => {
    folder = `${bpffsRoot()}/bfk_nft`;
    mkdirSync(folder);
    const program = loadProgram(buildProgram('bfk_always', 'socket_filter', [mov.imm(0, 1), exit()]));
    pin(program.fd, `${folder}/always`);
    program.close();
    spec = {
      family: 'ipv4',
      hooks: [
        { hook: 'INPUT', priority: 0 },
        { hook: 'OUTPUT', priority: -5 },
      ],
      anyProgram: `${folder}/always`,
      classes: [
        { program: `${folder}/always`, reject: { kind: 'icmp', code: 3 } },
        { program: `${folder}/always`, reject: { kind: 'tcpReset' } },
      ],
    };
  });
  afterAll(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  it('switch connection tracking on and off, as often as one likes', () => {
    withTemporaryNamespace(() => {
      for (const family of FAMILIES) {
        expect(readNftState(family)).toEqual({ conntrack: false });
        enableConntrack(family);
        enableConntrack(family);
        expect(readNftState(family)).toEqual({ conntrack: true });
      }
      expect(ruleset()).toMatch(/table ip6 bpfilter \{\s+chain conntrack \{\s+ct state new /);
      for (const family of FAMILIES) {
        disableConntrack(family);
        disableConntrack(family);
      }
      expect(ruleset()).toBe('');
    });
  });

  it('track connections while they are on', () => {
    withTemporaryNamespace(() => {
      run('ip', ['link', 'set', 'lo', 'up']);
      const tracked = (): number => {
        run('bash', ['-c', 'echo x > /dev/udp/127.0.0.1/9 || true']);
        return run('conntrack', ['-L', '-p', 'udp'])
          .split('\n')
          .filter((line) => line.includes('dport=9')).length;
      };
      expect(tracked()).toBe(0);
      enableConntrack('ipv4');
      expect(tracked()).toBe(1);
    });
  });

  it('install, replace and remove the bridge, whatever else is there', () => {
    withTemporaryNamespace(() => {
      enableConntrack('ipv4');
      installBridge(spec);
      expect(readNftState('ipv4')).toEqual({ conntrack: true, bridge: { hooks: spec.hooks, classes: 2 } });
      const hooks = [{ hook: 'FORWARD', priority: 9 }] as const;
      installBridge({ ...spec, hooks, classes: spec.classes.slice(1) });
      expect(readNftState('ipv4')).toEqual({ conntrack: true, bridge: { hooks, classes: 1 } });
      disableConntrack('ipv4');
      expect(readNftState('ipv4')).toEqual({ conntrack: false, bridge: { hooks, classes: 1 } });
      removeBridge('ipv4');
      removeBridge('ipv4');
      expect(ruleset()).toBe('');
    });
  });

  it('stay as they were when a part is refused', () => {
    withTemporaryNamespace(() => {
      installBridge(spec);
      const before = ruleset();
      const classes = [...spec.classes, { program: folder, reject: { kind: 'tcpReset' } }] as const;
      expect(() => installBridge({ ...spec, classes })).toThrow('adding a rule to nftables chain bpfilter answers');
      const missing = [{ program: `${folder}/missing`, reject: { kind: 'tcpReset' } }] as const;
      expect(() => installBridge({ ...spec, classes: missing })).toThrow(`ENOENT); ${folder}/missing`);
      expect(() => installBridge({ ...spec, hooks: [{ hook: 'PREROUTING', priority: 0 }] })).toThrow(RangeError);
      expect(ruleset()).toBe(before);
      removeNftTables();
      removeNftTables();
      expect(ruleset()).toBe('');
    });
  });

  it('leave the tables of others alone', () => {
    withTemporaryNamespace(() => {
      run('nft', ['-f', '-'], 'table ip other {\nchain conntrack {\nct state new counter\n}\n}\n');
      const before = ruleset();
      installBridge(spec);
      enableConntrack('ipv4');
      expect(readNftState('ipv4').conntrack).toBe(true);
      disableConntrack('ipv4');
      removeBridge('ipv4');
      expect(ruleset()).toBe(before);
      expect(readNftState('ipv4')).toEqual({ conntrack: false });
    });
  });

  it('say which kernel feature is missing', () => {
    withTemporaryNamespace(() => {
      const place = { table: 'bpfilter', chain: 'c' };
      const broken = newRule('ipv4', place, [Uint8Array.of(12, 0, 1, 0, 0x6e, 0x6f, 0x6e, 0x65, 0, 0, 0, 0)], {
        comment: 'x',
        needs: 'CONFIG_NONE',
      });
      const commands = [newTable('ipv4', 'bpfilter'), newChain('ipv4', 'bpfilter', 'c')];
      expect(() => nftTransaction([...commands, broken])).toThrow('this needs CONFIG_NONE');
      const wrong = newRule('ipv4', place, [reject({ kind: 'tcpReset' })], { comment: 'x', needs: 'y' });
      expect(() => nftTransaction([wrong])).toThrow('(ENOENT)');
      nftTransaction([destroyTable('ipv4', 'bpfilter')]);
    });
  });
});
