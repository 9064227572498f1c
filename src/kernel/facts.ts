/** The facts generated code depends on, read from the running kernel. */

import { existsSync, readFileSync } from 'node:fs';
import { release, version } from 'node:os';
import { gunzipSync } from 'node:zlib';
import { ENUMERATORS, ENVIRONMENT_MEMBERS, type Enumerator } from '../bpf/environment-members.ts';
import { type KernelFacts, type MemberPlace, NEEDED_MEMBERS } from '../bpf/facts.ts';
import { KERNEL_ANSWERS, rememberedForBoot } from './boot-memory.ts';
import { type Btf, kernelBtf, moduleBtf } from './btf.ts';
import { measureHz } from './clock.ts';
import { possibleCpuCount } from './cpus.ts';
import { readModuleFacts } from './module-facts.ts';

/** What the kernel was built with. */
type BuiltIn = Pick<KernelFacts, 'hz' | 'members' | 'enumerators'>;

/** Everything the compiler asks of this kernel. @throws Error naming every struct member that this kernel lacks. */
export function readKernelFacts(kept = KERNEL_ANSWERS): KernelFacts {
  const question = [...NEEDED_MEMBERS, ...ENVIRONMENT_MEMBERS, ...ENUMERATORS].join(' ');
  const { hz, members, enumerators } = rememberedForBoot(kept, question, readBuiltIn);
  return Object.freeze({
    release: release(),
    hz,
    possibleCpus: possibleCpuCount(),
    modules: readModuleFacts(),
    preemptRt: /\bPREEMPT_RT\b/.test(version()),
    members: Object.freeze(members),
    enumerators: Object.freeze(enumerators),
  });
}

/** `lasting`: nothing of it depends on modules, which come and go. */
function readBuiltIn(): { readonly answer: BuiltIn; readonly lasting: boolean } {
  const { find, builtIn } = finder();
  const members: Record<string, MemberPlace> = {};
  const missing: string[] = [];
  for (const name of [...NEEDED_MEMBERS, ...ENVIRONMENT_MEMBERS]) {
    const dot = name.indexOf('.');
    const place = find((types) => types.member(name.slice(0, dot), name.slice(dot + 1)));
    if (place !== undefined) members[name] = place;
    else if (isNeeded(name)) missing.push(name);
  }
  if (missing.length > 0) {
    throw new Error(`the type information of Linux ${release()} (/sys/kernel/btf/vmlinux) lacks ${missing.join(', ')}`);
  }
  return { answer: { hz: kernelHz(), members, enumerators: readEnumerators(find) }, lasting: builtIn() };
}

/** Where connection tracking is a module that is not loaded, only rules about connections cannot be made. */
function isNeeded(name: string): boolean {
  return (NEEDED_MEMBERS as readonly string[]).includes(name) && !/^nf_conn/.test(name);
}

type Find = <T>(look: (types: Btf) => T | undefined) => T | undefined;

/** Looks in vmlinux first, then in the module that conntrack may be. `builtIn`: vmlinux has had everything so far. */
function finder(): { readonly find: Find; readonly builtIn: () => boolean } {
  const vmlinux = kernelBtf();
  let conntrack: Btf | undefined | 'unread' = 'unread';
  const find: Find = (look) => {
    const found = look(vmlinux);
    if (found !== undefined) return found;
    if (conntrack === 'unread') conntrack = moduleBtf('nf_conntrack');
    return conntrack === undefined ? undefined : look(conntrack);
  };
  return { find, builtIn: () => conntrack === 'unread' };
}

function readEnumerators(find: Find): Partial<Record<Enumerator, number>> {
  const numbers: Partial<Record<Enumerator, number>> = {};
  for (const name of ENUMERATORS) {
    const [enumeration = '', enumerator = ''] = name.split('.');
    const value = find((types) => types.enumerator(enumeration, enumerator));
    if (value !== undefined) numbers[name] = value;
  }
  return numbers;
}

/** CONFIG_HZ from the kernel's own configuration if it shows it, else measured. */
export function kernelHz(): number {
  return configuredHz(kernelConfig() ?? '') ?? measureHz();
}

/** CONFIG_HZ in a kernel configuration. */
export function configuredHz(config: string): number | undefined {
  const line = /^CONFIG_HZ=(\d+)$/m.exec(config);
  return line === null ? undefined : Number(line[1]);
}

/** The running kernel's build configuration, or undefined when the system does not show it. */
export function kernelConfig(): string | undefined {
  if (existsSync('/proc/config.gz')) return gunzipSync(readFileSync('/proc/config.gz')).toString('latin1');
  const boot = `/boot/config-${release()}`;
  return existsSync(boot) ? readFileSync(boot, 'latin1') : undefined;
}
