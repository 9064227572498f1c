/** Where generated code is collected. */

import type { CodeItem, Label } from '../../bpf/code.ts';

export interface Emitter {
  readonly code: CodeItem[];
  emit(...items: readonly CodeItem[]): void;
  /** A label nobody else has; `hint` makes dumps readable. */
  label(hint: string): Label;
}

export function createEmitter(): Emitter {
  const code: CodeItem[] = [];
  let labels = 0;
  return {
    code,
    emit(...items) {
      for (const item of items) code.push(item);
    },
    label: (hint) => `${hint}.${labels++}`,
  };
}
