/** What the parts of one look-up's code share. */
import type { RunShape } from '../../../classify/shape.ts';
import type { BodyContext } from '../context.ts';
import type { LookupFrame } from './frame.ts';

export interface LookupContext {
  readonly ctx: BodyContext;
  readonly shape: RunShape;
  /** Name of the map whose value is the region. */
  readonly map: string;
  readonly frame: LookupFrame;
  /** Rows may have to be passed over, because the look-up goes on behind one. */
  readonly goesOn: boolean;
  /** The program runs in the chain loop: there what is left on the stack has to be equal on all paths (chain-loop.ts). */
  readonly loop: boolean;
}
