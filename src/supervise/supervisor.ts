/** The loop of a supervisor: takes each table call, lets the namespace of its socket answer, and settles namespaces that have come to rest. */

import { closeSync } from 'node:fs';
import { ERRNO, SyscallError } from '../kernel/errno.ts';
import { takeDescriptor } from '../kernel/process-memory.ts';
import type { Listener, Notification } from '../kernel/seccomp.ts';
import { namespaceOfSocket } from '../kernel/socket-namespace.ts';
import { isTableSocket, socketPlace, type TableCall, tableCall } from './request.ts';
import { type NamespaceReport, SupervisedNamespace, type Verdict } from './supervised-namespace.ts';

export interface SupervisorOptions {
  /** How long the rules of a namespace must be unchanged before programs take over, in milliseconds. */
  readonly quiet: number;
  readonly report: NamespaceReport;
}

/** How long to wait for the next call of a client at work without giving the processor away, in milliseconds. */
const AT_WORK = 2;
/** Calls that are answered before anything else gets a turn. */
const BATCH = 64;
const LONGEST_WAIT = 60_000;

/** Resolves when no process has the filter any more, with every namespace settled. */
export async function serve(listener: Listener, options: SupervisorOptions): Promise<void> {
  const namespaces = new Map<bigint, SupervisedNamespace>();
  try {
    for (;;) {
      const state = serveBatch(listener, namespaces, options);
      if (state === 'over') break;
      if (state === 'call') {
        await new Promise(setImmediate);
        continue;
      }
      const due = settleDue(namespaces, options.quiet);
      if (due > 0) await listener.wait(due);
    }
    for (const namespace of namespaces.values()) if (namespace.settlesIn(0) !== undefined) namespace.settle();
  } finally {
    for (const namespace of namespaces.values()) namespace.close();
  }
}

/** Answers calls as they come, until none comes for a moment; `call`: more are waiting. */
function serveBatch(
  listener: Listener,
  namespaces: Map<bigint, SupervisedNamespace>,
  options: SupervisorOptions,
): ReturnType<Listener['poll']> {
  for (let count = 0; count < BATCH; count++) {
    const state = listener.poll(count === 0 ? 0 : AT_WORK);
    if (state !== 'call') return state;
    const notification = listener.receive();
    if (notification === undefined) continue;
    const verdict = judge(listener, notification, namespaces, options);
    if (verdict === 'kernel') listener.passOn(notification.id);
    else listener.answer(notification.id, verdict);
  }
  return 'call';
}

function judge(
  listener: Listener,
  notification: Notification,
  namespaces: Map<bigint, SupervisedNamespace>,
  options: SupervisorOptions,
): Verdict {
  const call = tableCall(notification);
  if (call === undefined) return 'kernel';
  try {
    return answerCall(listener, notification, call, namespaces, options);
  } catch (error) {
    if (!listener.isWaiting(notification.id)) return 'kernel';
    options.report.complain(error instanceof Error ? error.message : String(error));
    return ERRNO.EIO.number;
  }
}

function answerCall(
  listener: Listener,
  { id, thread }: Notification,
  call: TableCall,
  namespaces: Map<bigint, SupervisedNamespace>,
  { report }: SupervisorOptions,
): Verdict {
  const socket = descriptorOf(thread, call.socket);
  // The kernel says what is wrong with it.
  if (socket === undefined) return 'kernel';
  try {
    const place = socketPlace(socket);
    if (!isTableSocket(place, call.family)) return 'kernel';
    let namespace = namespaces.get(place.cookie);
    if (namespace === undefined) {
      namespace = new SupervisedNamespace(place.cookie, namespaceOfSocket(socket), report);
      namespaces.set(place.cookie, namespace);
    }
    return namespace.answer(call, () => listener.isWaiting(id));
  } finally {
    closeSync(socket);
  }
}

function descriptorOf(thread: number, fd: number): number | undefined {
  try {
    return takeDescriptor(thread, fd);
  } catch (error) {
    if (error instanceof SyscallError) return undefined;
    throw error;
  }
}

/** Settles what has come to rest; how long to wait at most until something more has. */
function settleDue(namespaces: ReadonlyMap<bigint, SupervisedNamespace>, quiet: number): number {
  let next = LONGEST_WAIT;
  for (const namespace of namespaces.values()) {
    const due = namespace.settlesIn(quiet);
    if (due === undefined) continue;
    if (due <= 0) {
      namespace.settle();
      return 0;
    }
    next = Math.min(next, due);
  }
  return next;
}
