/**
 * What this kernel and system can do, tried and not guessed: one record per feature. Probes that change anything do so in a
 * network namespace of their own that is gone afterwards.
 */

import { call, exit, ldx, mov, movStructId } from '../bpf/assembly.ts';
import { buildProgram } from '../bpf/builder.ts';
import type { Code } from '../bpf/code.ts';
import { NEEDED_MEMBERS } from '../bpf/facts.ts';
import { R0, R1, R2 } from '../bpf/instruction.ts';
import { CLASS, JMP_OP } from '../bpf/opcodes.ts';
import type { ProgramType } from '../bpf/program.ts';
import { FAMILIES } from '../packet/netfilter.ts';
import { mountedBpffsRoot } from './bpffs.ts';
import { kernelBtf } from './btf.ts';
import { effectiveCapabilities, missingCapabilities } from './capabilities.ts';
import { ERRNO, isErrno } from './errno.ts';
import { findIptables } from './kernel-tables.ts';
import { attachNetfilter } from './link.ts';
import { createMap } from './map.ts';
import { namespaceCookie, withTemporaryNamespace } from './namespace.ts';
import { nftTransaction } from './netlink-socket.ts';
import { enableConntrack, NFT_TABLE } from './nfnetlink.ts';
import { matchOpenProgram, type NftExpression, newChain, newRule, newTable, reject } from './nft-objects.ts';
import { type BpfProgram, loadProgram, programInfo } from './program.ts';
import { VerifierError } from './verifier-error.ts';

/** What a probe found out. `no` and `yes` are conclusive. */
export type Answer =
  | { readonly kind: 'yes'; readonly detail?: string }
  | { readonly kind: 'no'; readonly reason: string }
  | { readonly kind: 'unknown'; readonly reason: string };

export interface Feature {
  /** Stable short name. */
  readonly name: string;
  /** What bpfilter uses it for. */
  readonly why: string;
  /** The first Linux that has it, as documented; configuration options where they decide. */
  readonly since: string;
  /** Without it nothing can be applied; otherwise only rules that need it are refused. */
  readonly required: boolean;
  readonly probe: () => Answer;
}

const YES: Answer = { kind: 'yes' };
const no = (reason: string): Answer => ({ kind: 'no', reason });

function withProgram<T>(type: ProgramType, code: Code, fn: (program: BpfProgram) => T): T {
  const program = loadProgram(buildProgram('bf_probe', type, code));
  try {
    return fn(program);
  } finally {
    program.close();
  }
}

const ACCEPT: Code = [mov.imm(R0, 1), exit()];

/** Whether the kernel takes a rule with these expressions, in each family. */
function takesRule(
  expressions: (family: (typeof FAMILIES)[number]) => readonly NftExpression[],
  needs: string,
): Answer {
  return withTemporaryNamespace(() => {
    for (const family of FAMILIES) {
      nftTransaction([
        newTable(family, NFT_TABLE),
        newChain(family, NFT_TABLE, 'probe', { hook: 'INPUT', priority: 0 }),
        newRule(family, { table: NFT_TABLE, chain: 'probe' }, expressions(family), { comment: 'probe', needs }),
      ]);
    }
    return YES;
  });
}

export const FEATURES: readonly Feature[] = [
  {
    name: 'permissions',
    why: 'loading programs, attaching them, entering network namespaces',
    since: 'any',
    required: true,
    probe() {
      const lacking = missingCapabilities(effectiveCapabilities());
      return lacking.length === 0 ? YES : no(`this process lacks ${lacking.join(', ')}; run it as root`);
    },
  },
  {
    name: 'type-information',
    why: 'finding kernel functions and the layout of packets and connections',
    since: '5.4, CONFIG_DEBUG_INFO_BTF',
    required: true,
    probe() {
      const btf = kernelBtf();
      const lacking = NEEDED_MEMBERS.filter((name) => {
        const dot = name.indexOf('.');
        return btf.member(name.slice(0, dot), name.slice(dot + 1)) === undefined;
      });
      return lacking.length === 0 ? YES : no(`the type information lacks ${lacking.join(', ')}`);
    },
  },
  {
    name: 'bpf-filesystem',
    why: 'keeping programs and maps when bpfilter exits',
    since: '4.4',
    required: true,
    probe() {
      const root = mountedBpffsRoot();
      return root === undefined
        ? { kind: 'unknown', reason: 'not mounted; apply mounts it on /sys/fs/bpf' }
        : { kind: 'yes', detail: root };
    },
  },
  {
    name: 'netfilter-links',
    why: 'attaching programs at the netfilter hooks; nothing works without it',
    since: '6.4, CONFIG_NETFILTER_BPF_LINK',
    required: true,
    probe: () =>
      withProgram('netfilter', ACCEPT, (program) =>
        withTemporaryNamespace(() => {
          for (const family of FAMILIES) attachNetfilter(program, { family, hook: 'INPUT', priority: -1 }).close();
          return YES;
        }),
      ),
  },
  {
    name: 'kernel-functions',
    why: 'reading packet headers and connection state (bpf_rdonly_cast, bpf_dynptr_from_skb, bpf_dynptr_slice)',
    since: '6.4',
    required: true,
    probe() {
      const lacking = ['bpf_rdonly_cast', 'bpf_dynptr_from_skb', 'bpf_dynptr_slice', 'bpf_cast_to_kern_ctx'].filter(
        (name) => kernelBtf().functionId(name) === undefined,
      );
      if (lacking.length > 0) return no(`this kernel lacks ${lacking.join(', ')}`);
      const skb = kernelBtf().member('bpf_nf_ctx', 'skb')?.offset ?? 8;
      const cast = [ldx.dw(R1, R1, skb), movStructId(R2, 'sk_buff'), call.kfunc('bpf_rdonly_cast'), ...ACCEPT];
      return withProgram('netfilter', cast, () => YES);
    },
  },
  {
    name: 'jit',
    why: 'speed: programs as machine code',
    since: '3.0, CONFIG_BPF_JIT and net.core.bpf_jit_enable',
    required: false,
    probe: () =>
      withProgram('socket_filter', ACCEPT, (program) =>
        programInfo(program).jitedBytes > 0 ? YES : no('programs are interpreted: set net.core.bpf_jit_enable to 1'),
      ),
  },
  {
    name: 'ring-buffer',
    why: 'events of LOG and NFLOG rules',
    since: '5.8',
    required: false,
    probe() {
      createMap({ name: 'bf_probe', type: 'ringbuf', keySize: 0, valueSize: 0, maxEntries: 65536 }).close();
      return YES;
    },
  },
  {
    name: 'long-jumps',
    why: 'programs of more than 32,767 instructions (gotol)',
    since: '6.6',
    required: false,
    probe() {
      const gotol = { opcode: CLASS.JMP32 | JMP_OP.JA, dst: 0, src: 0, offset: 0, imm: 0 };
      return withProgram('socket_filter', [mov.imm(R0, 1), { kind: 'insn', insn: gotol }, exit()], () => YES);
    },
  },
  {
    name: 'namespace-cookie',
    why: 'telling network namespaces apart',
    since: '5.14',
    required: true,
    probe() {
      namespaceCookie();
      return YES;
    },
  },
  {
    name: 'connection-tracking',
    why: 'rules that ask for the state of connections',
    since: '6.4, CONFIG_NF_CONNTRACK, CONFIG_NF_TABLES and CONFIG_NFT_CT',
    required: false,
    probe: () =>
      withTemporaryNamespace(() => {
        for (const family of FAMILIES) enableConntrack(family);
        return YES;
      }),
  },
  {
    name: 'bpf-match',
    why: 'the way of REJECT to the kernel: xt_bpf in nf_tables',
    since: '4.13, CONFIG_NFT_COMPAT and CONFIG_NETFILTER_XT_MATCH_BPF',
    required: false,
    probe: () =>
      withProgram('socket_filter', ACCEPT, (program) =>
        takesRule(() => [matchOpenProgram(program.fd)], 'CONFIG_NFT_COMPAT and CONFIG_NETFILTER_XT_MATCH_BPF'),
      ),
  },
  {
    name: 'reject-answers',
    why: 'what REJECT sends: ICMP errors and TCP resets from nf_tables',
    since: '3.14, CONFIG_NFT_REJECT',
    required: false,
    probe: () => takesRule(() => [reject({ kind: 'tcpReset' })], 'CONFIG_NFT_REJECT_IPV4 and CONFIG_NFT_REJECT_IPV6'),
  },
  {
    name: 'iptables',
    why: 'tables that stay with the kernel, and targets that it carries out',
    since: 'any',
    required: false,
    probe() {
      const found = FAMILIES.map(findIptables);
      const names = found.flatMap((programs) => (programs === undefined ? [] : [programs.restore]));
      if (names.length < FAMILIES.length) return no('iptables-restore or ip6tables-restore is not installed');
      return { kind: 'yes', detail: names.join(', ') };
    },
  },
];

/** Runs a probe. What failed for lack of permission or of memory says nothing of the kernel. */
export function probeFeature(feature: Feature): Answer {
  try {
    return feature.probe();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const telling = error instanceof VerifierError ? error.errno !== ERRNO.EPERM.number : !inconclusive(error);
    return telling ? no(reason) : { kind: 'unknown', reason };
  }
}

function inconclusive(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return isErrno(error, 'EPERM', 'EACCES', 'ENOMEM', 'EMFILE', 'ENFILE') || code === 'EACCES' || code === 'EPERM';
}
