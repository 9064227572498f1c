import { closeSync, mkdirSync, openSync, rmSync, statSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { suite } from '../../test/support/suite.ts';
import { exit, mov } from '../bpf/assembly.ts';
import { buildProgram } from '../bpf/builder.ts';
import { cString } from './bpf-syscall.ts';
import { bpffsRoot, mountedBpffsRoot } from './bpffs.ts';
import { attachNetfilter } from './link.ts';
import { createMap } from './map.ts';
import { withTemporaryNamespace } from './namespace.ts';
import { openPinnedLink, openPinnedMap, openPinnedProgram, pin } from './object.ts';
import { loadProgram } from './program.ts';
import { syscall } from './syscall.ts';

suite('pins', ['root', 'btf'], () => {
  let folder: string;
  beforeAll(() => {
    folder = `${bpffsRoot()}/bfk_pins`;
    mkdirSync(folder);
  });
  afterAll(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  it('open as what they are', () => {
    expect(mountedBpffsRoot()).toBe(bpffsRoot());
    const map = createMap({ name: 'bfk_map', type: 'hash', keySize: 8, valueSize: 4, maxEntries: 3 });
    const program = loadProgram(buildProgram('bfk_accept', 'netfilter', [mov.imm(0, 1), exit()]));
    const place = { family: 'ipv6', hook: 'FORWARD', priority: 3 } as const;
    const link = withTemporaryNamespace(() => attachNetfilter(program, place));
    pin(map.fd, `${folder}/map`);
    pin(program.fd, `${folder}/program`);
    pin(link.fd, `${folder}/link`);
    for (const item of [map, program, link]) item.close();
    const [map2, program2] = [openPinnedMap(`${folder}/map`), openPinnedProgram(`${folder}/program`)];
    const link2 = openPinnedLink(`${folder}/link`);
    expect(map2).toMatchObject({ id: map.id, name: 'bfk_map', type: 'hash', keySize: 8, valueSize: 4, maxEntries: 3 });
    expect(program2).toMatchObject({ id: program.id, name: 'bfk_accept', type: 'netfilter' });
    expect(link2).toMatchObject({ id: link.id, programId: program.id, place });
    link2.detach();
    for (const item of [map2, program2, link2]) item.close();
    expect(() => openPinnedMap(`${folder}/nothing`)).toThrow('ENOENT');
    expect(() => openPinnedMap(`${folder}/program`)).toThrow('holds no BPF map');
  });
});

const CLONE_NEWNS = 0x20000;
const MS_REC_SLAVE = 0x4000 | 0x80000;
const MNT_DETACH = 2;

suite('the BPF file system from a mount namespace as ip netns exec makes it', ['root', 'btf'], () => {
  /** What `ip netns exec` does before it runs its command, on this thread; and the way back. */
  function withPrivateSys<T>(fn: () => T): T {
    const own = openSync('/proc/thread-self/ns/mnt', 'r');
    const folder = process.cwd();
    syscall('unshare', [CLONE_NEWNS]);
    try {
      syscall('mount', [cString('none'), cString('/'), 0, MS_REC_SLAVE, 0]);
      syscall('umount2', [cString('/sys'), MNT_DETACH]);
      syscall('mount', [cString('sysfs'), cString('/sys'), cString('sysfs'), 0, 0]);
      return fn();
    } finally {
      syscall('setns', [own, CLONE_NEWNS]);
      closeSync(own);
      process.chdir(folder);
    }
  }

  it('is the same, whatever is mounted inside', () => {
    const outside = bpffsRoot();
    const { dev } = statSync(outside);
    const map = createMap({ name: 'bfk_both', type: 'array', keySize: 4, valueSize: 8, maxEntries: 1 });
    withPrivateSys(() => {
      const inside = bpffsRoot();
      expect(inside).toMatch(/^\/proc\/\d+\/root\/sys\/fs\/bpf$/);
      expect(statSync(inside).dev).toBe(dev);
      expect(mountedBpffsRoot()).toBe(inside);
      pin(map.fd, `${inside}/bfk_both`);
      // A file system of its own on the usual place does not mislead.
      syscall('mount', [cString('bpf'), cString('/sys/fs/bpf'), cString('bpf'), 0, 0]);
      expect(bpffsRoot()).toBe(inside);
    });
    map.close();
    const again = openPinnedMap(`${outside}/bfk_both`);
    rmSync(`${outside}/bfk_both`);
    expect(again.id).toBe(map.id);
    again.close();
    expect(bpffsRoot()).toBe(outside);
  });
});
