/** Trees of chains as Docker and kube-proxy make them, cut down to what a stateless table can hold; every way ends in a DROP. */
import { TRACE_ENTRIES } from '../trace.ts';
import { dotted } from './texts.ts';
import type { Next } from './workload.ts';

export interface Tree {
  readonly iptables: string;
  readonly rules: number;
  readonly trace: Uint32Array;
}

const TCP = 6;

function finish(chains: readonly string[], rules: readonly string[], headers: (i: number) => readonly number[]): Tree {
  const declared = chains.map((chain) => `:${chain} - [0:0]\n`).join('');
  const trace = new Uint32Array(TRACE_ENTRIES * 5);
  for (let i = 0; i < TRACE_ENTRIES; i++) trace.set(headers(i), i * 5);
  const iptables = `*raw\n:PREROUTING DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n${declared}${rules.map((rule) => `-A ${rule}\n`).join('')}COMMIT\n`;
  return { iptables, rules: rules.length, trace };
}

/** One network for each 32 containers: an isolation rule for the network, a rule for each published port. */
export function dockerTree(count: number, next: Next): Tree {
  const containers = Math.max(1, count - Math.ceil(count / 32) - 4);
  const networks = Math.ceil(containers / 32);
  const network = (n: number): number => (0xac100000 + n * 256) >>> 0;
  const container = (c: number): number => network(c >> 5) + 2 + (c & 31);
  const port = (c: number): number => 8000 + (c % 100);
  const rules = [
    'PREROUTING -j DOCKER-USER',
    'PREROUTING -j DOCKER-ISOLATION',
    'PREROUTING -d 172.16.0.0/12 -j DOCKER',
    ...Array.from({ length: networks }, (_, n) => `DOCKER-ISOLATION -s ${dotted(network(n))}/24 -j DOCKER-DROP`),
    ...Array.from(
      { length: containers },
      (_, c) => `DOCKER -d ${dotted(container(c))}/32 -p tcp -m tcp --dport ${port(c)} -j DROP`,
    ),
    'DOCKER-DROP -j DROP',
  ];
  return finish(['DOCKER', 'DOCKER-DROP', 'DOCKER-ISOLATION', 'DOCKER-USER'], rules, () => {
    const c = next(containers);
    const outside = next(10) === 0;
    return [0x08000000 + next(1 << 24), container(c), 1024 + next(60_000), outside ? 22 : port(c), TCP];
  });
}

/** A service address and port leads to a chain of the service, it to a chain for each of three endpoints by source port. */
export function kubeTree(count: number, next: Next): Tree {
  const services = Math.max(1, Math.floor((count - 1) / 8));
  const address = (s: number): number => (0x0a600000 + s) >>> 0;
  const port = (s: number): number => 1 + (Math.imul(s, 7919) & 0x3fff);
  const name = (kind: string, n: number): string => `KUBE-${kind}-${n.toString(36).toUpperCase().padStart(8, '0')}`;
  const chains = ['KUBE-SERVICES'];
  const rules = ['PREROUTING -j KUBE-SERVICES'];
  for (let s = 0; s < services; s++) {
    rules.push(`KUBE-SERVICES -d ${dotted(address(s))}/32 -p tcp -m tcp --dport ${port(s)} -j ${name('SVC', s)}`);
  }
  for (let s = 0; s < services; s++) {
    chains.push(name('SVC', s));
    rules.push(`${name('SVC', s)} ! -s 10.244.0.0/16`);
    for (let e = 0; e < 3; e++) {
      const endpoint = name('SEP', s * 3 + e);
      chains.push(endpoint);
      rules.push(`${name('SVC', s)} -p tcp -m tcp --sport ${e * 20_000}:${e * 20_000 + 19_999} -j ${endpoint}`);
      rules.push(`${endpoint} -j DROP`);
    }
  }
  return finish(chains, rules, () => {
    const s = next(services);
    const outside = next(10) === 0;
    return [0x0af40000 + next(1 << 18), address(s), 1024 + next(60_000), outside ? 1 : port(s), TCP];
  });
}
