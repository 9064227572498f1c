import { describe, expect, it } from 'vitest';
import { suite } from '../../test/support/suite.ts';
import {
  emptyTableText,
  findIptables,
  KernelTablesError,
  legacyTables,
  replaceTables,
  restoreTables,
  saveTable,
} from './kernel-tables.ts';
import { withTemporaryNamespace } from './namespace.ts';

describe('the text of an empty table', () => {
  it('has the built-in chains only', () => {
    expect(emptyTableText('nat')).toBe(
      '*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\nCOMMIT\n',
    );
  });
});

const NAT = (rule: string): string => emptyTableText('nat').replace('COMMIT', `[3:300] ${rule}\nCOMMIT`);
const MANGLE = (rule: string): string => emptyTableText('mangle').replace('COMMIT', `[3:300] ${rule}\nCOMMIT`);
const MASQUERADE = '-A POSTROUTING -o eth0 -j MASQUERADE';
const MARK = '-A PREROUTING -j MARK --set-xmark 0x1/0xffffffff';

suite('tables that stay with the kernel', ['root', 'iptables'], () => {
  process.env['XTABLES_LOCKFILE'] = '/run/bfk.lock';

  it('are found through the legacy programs', () => {
    expect(findIptables('ipv6')).toEqual({
      restore: 'ip6tables-legacy-restore',
      save: 'ip6tables-legacy-save',
      legacy: true,
    });
  });

  it('are not brought into being by looking', () => {
    withTemporaryNamespace(() => {
      expect(saveTable('ipv4', 'nat')).toBeUndefined();
      expect(legacyTables('ipv4')).toEqual([]);
    });
  });

  it('are loaded and read, with or without counters', () => {
    withTemporaryNamespace(() => {
      restoreTables('ipv4', NAT(MASQUERADE), { counters: true });
      expect(legacyTables('ipv4')).toEqual(['nat']);
      expect(saveTable('ipv4', 'nat')).toContain(`[3:300] ${MASQUERADE}\n`);
      expect(saveTable('ipv4', 'nat', { counters: false })).toContain(`\n${MASQUERADE}\n`);
      restoreTables('ipv6', MANGLE(MARK));
      expect(saveTable('ipv6', 'mangle')).toContain(`[0:0] ${MARK}\n`);
    });
  });

  it('are tested without a change, and refused with what the program said', () => {
    withTemporaryNamespace(() => {
      restoreTables('ipv4', NAT(MASQUERADE), { test: true });
      expect(saveTable('ipv4', 'nat')).not.toContain('MASQUERADE');
      expect(() => restoreTables('ipv4', NAT('-A POSTROUTING -j NONSENSE'), { test: true })).toThrow(KernelTablesError);
      expect(() => restoreTables('ipv4', NAT('-A POSTROUTING -j NONSENSE'))).toThrow(/NONSENSE/);
    });
  });

  it('are all put back when a later one is refused', () => {
    withTemporaryNamespace(() => {
      restoreTables('ipv4', NAT(MASQUERADE), { counters: true });
      const tables = [
        { table: 'mangle', text: MANGLE(MARK) },
        { table: 'nat', text: NAT('-A POSTROUTING -o eth1 -j MASQUERADE') },
      ] as const;
      const refused = { table: 'raw', text: '*raw\n-A PREROUTING -j NONSENSE\nCOMMIT\n' } as const;
      expect(() => replaceTables('ipv4', [...tables, refused])).toThrow('NONSENSE');
      expect(saveTable('ipv4', 'nat')).toContain(`[3:300] ${MASQUERADE}\n`);
      expect(saveTable('ipv4', 'mangle')).not.toContain('MARK');

      const undo = replaceTables('ipv4', tables);
      expect(saveTable('ipv4', 'nat')).toContain('eth1');
      undo();
      expect(saveTable('ipv4', 'nat')).toContain(`[3:300] ${MASQUERADE}\n`);
      expect(saveTable('ipv4', 'mangle')).not.toContain('MARK');
    });
  });
});
