import { closeSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { suite } from '../../test/support/suite.ts';
import { notifyManager } from './notify.ts';
import { syscall } from './syscall.ts';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;

suite('telling the service manager', ['root'], () => {
  it.each(['a path', 'an abstract name'])('sends the state to %s', (kind) => {
    const folder = mkdtempSync(join(tmpdir(), 'bpfilter-notify-'));
    const name = kind === 'a path' ? join(folder, 'notify') : `@bpfilter-notify-${process.pid}`;
    const socket = syscall('socket', [AF_UNIX, SOCK_DGRAM, 0]);
    try {
      const address = Buffer.from(`\u0001\u0000${name.replace('@', '\0')}${kind === 'a path' ? '\0' : ''}`, 'latin1');
      syscall('bind', [socket, address, address.length]);
      notifyManager(name, 'READY=1');
      const buffer = new Uint8Array(64);
      const length = syscall('recvfrom', [socket, buffer, buffer.length, 0]);
      expect(Buffer.from(buffer.subarray(0, length)).toString('latin1')).toBe('READY=1');
    } finally {
      closeSync(socket);
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('fails when nobody is there', () => {
    expect(() => notifyManager('/nonexistent/notify', 'READY=1')).toThrow('ENOENT');
  });
});
