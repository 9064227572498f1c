import { expect, it } from 'vitest';
import {
  attributeS32,
  attributes,
  attributeText,
  NLM_F,
  nfnetlinkMessage,
  parseAttributes,
  parseMessages,
} from './netlink-message.ts';

const TABLE = {
  NAME: [1, 'string'],
  CODE: [2, 'u8'],
  NUMBER: [3, 'be32'],
  WIDE: [4, 'be64'],
  INFO: [5, 'bytes'],
  INNER: [6, 'nested'],
} as const;

it('lays attributes out as the kernel reads them', () => {
  expect(Buffer.from(attributes(TABLE, { NAME: 'ab', CODE: 9, NUMBER: -4 })).toString('hex')).toBe(
    ['0700010061620000', '0500020009000000', '08000300fffffffc'].join(''),
  );
  expect(Buffer.from(attributes(TABLE, { INNER: attributes(TABLE, { CODE: 1 }) })).toString('hex')).toBe(
    '0c0006800500020001000000',
  );
});

it('reads them back', () => {
  const bytes = attributes(TABLE, { NAME: 'filter', NUMBER: -150, WIDE: 1n << 40n, INFO: Uint8Array.of(1, 2, 3) });
  const found = parseAttributes(bytes);
  expect(attributeText(found.get(1))).toBe('filter');
  expect(attributeS32(found.get(3))).toBe(-150);
  expect([...(found.get(4) ?? [])]).toEqual([0, 0, 1, 0, 0, 0, 0, 0]);
  expect([...(found.get(5) ?? [])]).toEqual([1, 2, 3]);
  expect(attributeText(undefined)).toBeUndefined();
  expect(attributeS32(Uint8Array.of(1))).toBeUndefined();
});

it('stops at a broken attribute', () => {
  expect(parseAttributes(Uint8Array.of(2, 0, 1, 0, 0, 0, 0, 0)).size).toBe(0);
});

it('frames messages', () => {
  const message = nfnetlinkMessage(
    { type: 0xa03, flags: NLM_F.ACK, sequence: 5, family: 2, resource: 10 },
    attributes(TABLE, { NAME: 'a' }),
  );
  expect(Buffer.from(message).toString('hex')).toBe(
    '1c000000' + '030a' + '0500' + '05000000' + '00000000' + '0200000a' + '0600010061000000',
  );
  const [first, second, ...rest] = parseMessages(Buffer.concat([message, message]));
  expect(rest).toEqual([]);
  expect(first).toMatchObject({ type: 0xa03, sequence: 5 });
  expect(second?.payload.length).toBe(12);
});
