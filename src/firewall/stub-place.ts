/** Where a hook point's stub found room. */

import { openPinnedLink } from '../kernel/object.ts';
import type { HookPoint, Layout } from './layout.ts';

/** The priority of the point's stub, which must hang. */
export function stubPriority(layout: Layout, point: HookPoint): number {
  const link = openPinnedLink(layout.stub(point));
  try {
    if (link.place === undefined) throw new Error(`${layout.stub(point)} is no netfilter link`);
    return link.place.priority;
  } finally {
    link.close();
  }
}
