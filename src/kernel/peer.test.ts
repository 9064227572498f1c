import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { suite } from '../../test/support/suite.ts';
import { effectiveCapabilities } from './capabilities.ts';
import { namespaceIdentity } from './namespace.ts';
import { peerOf } from './peer.ts';

suite('the peer of a socket', ['root'], () => {
  it('is told by the kernel: process, user, capabilities, namespace', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'bpfilter-peer-'));
    const server = createServer();
    try {
      const path = join(folder, 'socket');
      await new Promise<void>((resolve) => server.listen(path, resolve));
      const client = connect(path);
      const accepted = await new Promise<Socket>((resolve) => server.once('connection', resolve));
      const { _handle: handle } = accepted as Socket & { readonly _handle: { readonly fd: number } };
      const peer = peerOf(handle.fd);
      expect(peer).toMatchObject({ pid: process.pid, uid: 0, capabilities: effectiveCapabilities() });
      expect(namespaceIdentity(peer.netns)).toBe(namespaceIdentity(undefined));
      peer.close();
      client.destroy();
      accepted.destroy();
    } finally {
      server.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
