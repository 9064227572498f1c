/** `list` and `save` of whole policies on devices. */

import { type DeviceHook, hookText } from '../device/hook.ts';
import { type DeviceInForce, readDevices } from '../firewall/device-read.ts';
import { withSession } from '../firewall/session.ts';
import { printRuleset } from '../languages/iptables/print.ts';
import type { Family, TableName } from '../packet/netfilter.ts';
import type { Counters, Table } from '../rules/model.ts';
import { UsageError } from './command.ts';
import { exact } from './list-json.ts';
import { ruleWords } from './rule-words.ts';
import { textTable } from './text-table.ts';

/** What hangs on devices of a namespace. */
export function devicesShown(netns: string | undefined, family?: Family, table?: TableName): readonly DeviceInForce[] {
  return withSession(netns, ({ layout }) => readDevices(layout))
    .filter(({ chain }) => table === undefined || chain.table === table)
    .map((device) => ({
      ...device,
      families: device.families.filter((item) => family === undefined || item.family === family),
    }));
}

/** The rules of one hook as restore text; empty when it has none of the family. Throws UsageError when nothing hangs there. */
export function saveDevice(netns: string | undefined, hook: DeviceHook, family: Family, counters: boolean): string {
  const device = devicesShown(netns).find((item) => hookText(item.hook) === hookText(hook));
  if (device === undefined) throw new UsageError(`--hook: no rules are in force at ${hookText(hook)}`);
  const found = device.families.find((item) => item.family === family);
  return found === undefined ? '' : printRuleset(found.ruleset, { counters });
}

/** For people: title and rules of every chain. */
export function devicesText(devices: readonly DeviceInForce[]): string {
  return devices
    .flatMap((device) =>
      device.families.flatMap(({ family, ruleset }) =>
        ruleset.tables.flatMap((table) => table.chains.map((chain) => chainText(device, family, table, chain))),
      ),
    )
    .join('');
}

function chainText(
  { hook, chain: base }: DeviceInForce,
  family: Family,
  table: Table,
  chain: Table['chains'][number],
): string {
  // Other built-in chains of the table are not evaluated here.
  if (chain.policy !== undefined && chain.name !== base.hook) return '';
  const policy = chain.policy === undefined ? '' : `  policy ${chain.policy} ${counterText(chain.counters)}`;
  const title = `\n${family} ${hookText(hook)}  ${table.name} ${chain.name}${policy}\n`;
  if (chain.rules.length === 0) return title;
  const rows = chain.rules.map((rule, at) => [
    String(at + 1),
    String(rule.counters.packets),
    String(rule.counters.bytes),
    ruleWords(family, table.name, chain.name, rule),
  ]);
  const columns = [
    { title: 'num', align: 'right' },
    { title: 'packets', align: 'right' },
    { title: 'bytes', align: 'right' },
    { title: 'rule' },
  ] as const;
  return title + textTable(columns, rows);
}

function counterText({ packets, bytes }: Counters): string {
  return `[${packets}:${bytes}]`;
}

/** For programs; empty when nothing hangs on a device. */
export function devicesJson(devices: readonly DeviceInForce[]): { readonly devices?: readonly object[] } {
  if (devices.length === 0) return {};
  return {
    devices: devices.map(({ hook, chain, generation, families }) => ({
      hook: hookText(hook),
      ...{ table: chain.table, chain: chain.hook, generation },
      families: families.map(({ family, ruleset }) => ({
        family,
        chains: ruleset.tables.flatMap((table) =>
          table.chains.map((item) => ({
            name: item.name,
            ...(item.policy === undefined ? {} : { policy: item.policy, ...json(item.counters) }),
            rules: item.rules.map((rule) => ({
              rule: ruleWords(family, table.name, item.name, rule),
              ...json(rule.counters),
            })),
          })),
        ),
      })),
    })),
  };
}

function json({ packets, bytes }: Counters): object {
  return { packets: exact(packets), bytes: exact(bytes) };
}
