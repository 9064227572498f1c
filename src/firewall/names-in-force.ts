import type { NamedTable } from '../policy/named.ts';
import type { Layout } from './layout.ts';
import { namedInForce } from './plan-families.ts';
import { readStateInForce } from './store.ts';

/** Lists and tables with names that the rules in force use: they stay as they are when new rules name them. */
export function namesInForce(layout: Layout): readonly NamedTable[] {
  return namedInForce(readStateInForce(layout));
}
