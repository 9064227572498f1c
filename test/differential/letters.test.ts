/** `string --icase`: which bytes are letters, and of which pair, by every byte and every pattern of one byte. */
import { expect, it } from 'vitest';
import { udp } from '../../src/packet/transport.ts';
import { AMBIGUOUS } from '../../src/policy/scan-text.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { macOf } from '../support/topology.ts';
import { packetOf } from './asking.ts';
import { filter, play } from './steps.ts';
import { FORWARD, frameAround, type Stimulus } from './stimulus.ts';

const BYTES = Array.from({ length: 256 }, (_, byte) => byte);
/** Of the IPv4 and UDP headers. */
const BEFORE = 28;

/** The byte, and so many zeros behind it that the length tells which one a rule has counted. */
function datagram(byte: number): Stimulus {
  const data = new Uint8Array(1 + byte);
  data[0] = byte;
  const packet = packetOf('ipv4', '10.1.0.1', '10.2.0.1', udp({ source: 4000, destination: 7000, data }));
  return { kind: 'frame', device: 0, frame: frameAround(packet, macOf(0)) };
}

suite('letters', DIFFERENTIAL, () => {
  const patterns = BYTES.filter((byte) => !AMBIGUOUS.includes(byte));
  it.each([
    ['ASCII', patterns.filter((byte) => byte < 0x80)],
    ['beyond', patterns.filter((byte) => byte >= 0x80)],
  ])('%s', (_, bytes) => {
    const rules = bytes.map((byte) => {
      const digits = byte.toString(16).padStart(2, '0');
      return `-m string --hex-string "|${digits}|" --algo kmp --from ${BEFORE} --to ${BEFORE + 1} --icase`;
    });
    const steps = [{ kind: 'send', path: FORWARD, stimuli: BYTES.map(datagram) }] as const;
    expect(play({ ipv4: filter('FORWARD', rules) }, steps)).toEqual([]);
  });
});
