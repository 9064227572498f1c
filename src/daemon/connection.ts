/** A program's connection: who it is, what it asks for, what it is told. */

import type { Socket } from 'node:net';
import { missingCapabilities } from '../kernel/capabilities.ts';
import { type Peer, peerOf } from '../kernel/peer.ts';
import { askingHost } from './asking-host.ts';
import type { Namespaces } from './namespaces.ts';
import {
  ANSWER,
  type Failure,
  KIND,
  type Kind,
  type Message,
  message,
  messageReader,
  type Request,
} from './protocol.ts';
import { type Finished, reasonToDecline, serve } from './serve.ts';

/** The program has gone away: what it asked for is given up, unless it is being done already. */
class Gone extends Error {
  override readonly name = 'Gone';
}

/** Serves one connection to its end. Never throws: whatever goes wrong before a change, the program does its work without us. */
export async function serveConnection(socket: Socket, namespaces: Namespaces): Promise<void> {
  const messages = incoming(socket);
  const say = (kind: Kind, body?: Uint8Array | string): void => {
    if (!socket.destroyed) socket.write(message(kind, body));
  };
  let peer: Peer | undefined;
  try {
    peer = peerOf(descriptorOf(socket));
    const missing = missingCapabilities(peer.capabilities);
    if (peer.uid !== 0 || missing.length > 0) {
      say(KIND.decline, 'it serves root only, with the capabilities that bpfilter needs');
      return;
    }
    const request = JSON.parse((await messages.next(KIND.request)).toString('utf8')) as Request;
    const why = reasonToDecline(request);
    if (why === undefined) await carryOut(request, peer, namespaces, messages, say);
    else say(KIND.decline, why);
  } catch (error) {
    if (!(error instanceof Gone)) say(KIND.decline, error instanceof Error ? error.message : String(error));
  } finally {
    peer?.close();
    socket.end();
  }
}

async function carryOut(
  request: Request,
  peer: Peer,
  namespaces: Namespaces,
  messages: Incoming,
  say: (kind: Kind, body?: Uint8Array | string) => void,
): Promise<void> {
  const { status, stdout, stderr } = await namespaces.use(peer.netns, (tables, netns): Promise<Finished> => {
    const host = askingHost(request, netns, () => say(KIND.begin));
    return serve(request, host, tables, async (question) => {
      say(KIND.question, JSON.stringify(question));
      const body = await messages.next(KIND.answer);
      const text = body.toString('utf8', 1);
      host.answered(question, body[0] === ANSWER.done ? { text } : (JSON.parse(text) as Failure));
    });
  });
  if (stdout !== '') say(KIND.out, stdout);
  if (stderr !== '') say(KIND.err, stderr);
  say(KIND.exit, Uint8Array.of(status));
}

interface Incoming {
  /** The body of the next message, which must be of this kind. @throws Gone */
  next(kind: Kind): Promise<Buffer>;
}

function incoming(socket: Socket): Incoming {
  const read = messageReader();
  const waiting: Message[] = [];
  let wake = (): void => {};
  let gone = false;
  const end = (): void => {
    gone = true;
    wake();
  };
  socket.on('data', (piece) => {
    try {
      waiting.push(...read(piece));
      wake();
    } catch {
      socket.destroy();
    }
  });
  socket.on('error', end);
  socket.on('close', end);
  socket.on('end', end);
  return {
    async next(kind) {
      for (let one = waiting.shift(); ; one = waiting.shift()) {
        if (one !== undefined) {
          if (one.kind !== kind) throw new Error('a message out of turn');
          return one.body;
        }
        if (gone) throw new Gone('the program has gone');
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

/** Node has no other way to the descriptor of a socket. */
function descriptorOf(socket: Socket): number {
  const { _handle: handle } = socket as Socket & { readonly _handle?: { readonly fd?: number } };
  if (handle?.fd === undefined || handle.fd < 0) throw new Error('the connection has no descriptor');
  return handle.fd;
}
