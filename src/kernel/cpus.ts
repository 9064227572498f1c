import { readFileSync } from 'node:fs';

/** Parses a CPU list such as `0-3,8` into its numbers. @throws Error when the text is something else. */
export function parseCpuList(text: string): readonly number[] {
  const numbers: number[] = [];
  for (const part of text.trim().split(',')) {
    const range = /^(\d+)(?:-(\d+))?$/.exec(part);
    if (range === null) throw new Error(`"${text.trim()}" is not a list of CPUs`);
    for (let cpu = Number(range[1]); cpu <= Number(range[2] ?? range[1]); cpu++) numbers.push(cpu);
  }
  return numbers;
}

/** CPUs that may ever come online: per-CPU maps hold one value for each, in this order. */
export function possibleCpuList(): readonly number[] {
  return parseCpuList(readFileSync('/sys/devices/system/cpu/possible', 'utf8'));
}

/** How many strides a table indexed by bpf_get_smp_processor_id() needs: the highest possible number plus one. */
export function possibleCpuCount(): number {
  return Math.max(...possibleCpuList()) + 1;
}
