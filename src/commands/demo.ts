/** `bpfilter demo`: the example rules at work, next to the kernel's own iptables where there is one. */
import { isFirewallError } from '../firewall/failure.ts';
import { FAMILIES } from '../packet/netfilter.ts';
import { EXIT, type Invocation } from './command.ts';
import { demoCapture, demoExamples, type Example } from './demo/examples.ts';
import { compareTallies, heading } from './demo/tally.ts';
import type { Output } from './output.ts';

export async function run({ output }: Invocation): Promise<number> {
  const examples = demoExamples();
  const obstacle = obstacleToLive();
  if (obstacle !== undefined) return virtual(examples, obstacle, output);
  try {
    return await live(examples, output);
  } catch (error) {
    if (!isFirewallError(error) || error.kind === 'failed') throw error;
    return virtual(examples, error.message, output);
  }
}

/** Why real packets are out of the question, if they are. */
function obstacleToLive(): string | undefined {
  if (process.platform !== 'linux') return 'this is not Linux';
  return process.getuid?.() === 0 ? undefined : 'this needs root';
}

async function live(examples: readonly Example[], output: Output): Promise<number> {
  const { runBpfilter, runIptables } = await import('./demo/live.ts');
  const ours = runBpfilter(examples);
  const theirs = runIptables(examples);
  output.out('Real packets through network namespaces of their own; both are gone again.\n');
  if (theirs === undefined) {
    output.out('iptables is not installed, so there is nothing to compare with: bpfilter alone.\n');
  }
  let [lines, equal] = [0, 0];
  for (const { family, name } of examples) {
    const other = theirs === undefined ? undefined : { label: theirs.label, lines: theirs.tallies.get(family) ?? [] };
    const compared = compareTallies({ label: ours.label, lines: ours.tallies.get(family) ?? [] }, other);
    output.out(`\n${heading(family, name)}\n${compared.text}`);
    lines += compared.lines;
    equal += compared.equal;
  }
  if (theirs === undefined) return EXIT.done;
  const answersEqual = ours.answers === theirs.answers;
  output.out(
    `\n${equal} of ${lines} rules and policies counted the same packets and bytes as iptables; ` +
      `packets sent back: bpfilter ${ours.answers}, iptables ${theirs.answers}.\n`,
  );
  return equal === lines && answersEqual ? EXIT.done : EXIT.failure;
}

async function virtual(examples: readonly Example[], why: string, output: Output): Promise<number> {
  const { runVirtual } = await import('./demo/virtual.ts');
  const capture = demoCapture();
  output.out(
    `No real packets: ${why}.\nThe same programs, run in the built-in virtual machine over examples/server.pcap, ` +
      'next to the reference evaluator.\n',
  );
  let [lines, equal] = [0, 0];
  for (const family of FAMILIES) {
    const example = examples.find((candidate) => candidate.family === family);
    if (example === undefined) continue;
    const { packets, machine, evaluator } = runVirtual(example, capture);
    const compared = compareTallies({ label: 'programs', lines: machine }, { label: 'evaluator', lines: evaluator });
    output.out(`\n${heading(family, example.name)}, ${packets} packets\n${compared.text}`);
    lines += compared.lines;
    equal += compared.equal;
  }
  output.out(`\n${equal} of ${lines} rules and policies counted the same packets and bytes in both.\n`);
  return equal === lines ? EXIT.done : EXIT.failure;
}
