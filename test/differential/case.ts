/** Counterexamples as files: a rule set and the packets, in JSON, replayed by `cases.test.ts`. */
import type { RuleSets } from '../support/firewalls.ts';
import type { Phase, Stimulus } from './stimulus.ts';

export interface Case {
  readonly sets: RuleSets;
  readonly devices: readonly string[];
  readonly phases: readonly Phase[];
}

type Stored<S extends Stimulus> = S extends { kind: 'frame' }
  ? Omit<S, 'frame'> & { readonly frame: string }
  : Omit<S, 'packet'> & { readonly packet: string };

interface StoredCase {
  readonly sets: RuleSets;
  readonly devices: readonly string[];
  readonly phases: readonly { readonly path: Phase['path']; readonly stimuli: readonly Stored<Stimulus>[] }[];
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'hex'));
}

/** The case as one line of JSON, bytes in hexadecimal. */
export function encodeCase({ sets, devices, phases }: Case): string {
  const stored: StoredCase = {
    sets,
    devices,
    phases: phases.map(({ path, stimuli }) => ({
      path,
      stimuli: stimuli.map((stimulus) =>
        stimulus.kind === 'frame'
          ? { ...stimulus, frame: hex(stimulus.frame) }
          : { ...stimulus, packet: hex(stimulus.packet) },
      ),
    })),
  };
  return JSON.stringify(stored);
}

/** Reads what encodeCase wrote. */
export function decodeCase(text: string): Case {
  const { sets, devices, phases } = JSON.parse(text) as StoredCase;
  return {
    sets,
    devices,
    phases: phases.map(({ path, stimuli }) => ({
      path,
      stimuli: stimuli.map((stimulus) =>
        stimulus.kind === 'frame'
          ? { ...stimulus, frame: bytes(stimulus.frame) }
          : { ...stimulus, packet: bytes(stimulus.packet) },
      ),
    })),
  };
}
