/** What an apply has to mind when the rules that it puts into force are filtering already, in the kernel's own tables. */

import type { Family, TableName } from '../packet/netfilter.ts';
import type { GenerationState } from './state.ts';

export interface Adoption {
  /** The kernel's own table has the rules that are being applied: until the switch it keeps them, whatever else goes into it. */
  keeps(family: Family, table: TableName): boolean;
  /** Right before the switch, when everything else is ready. What it throws undoes the apply. */
  beforeSwitch(state: GenerationState): void;
  /** After it, when no packet is on its way that the programs have not seen. */
  afterSwitch(state: GenerationState): void;
}
