/**
 * xt_hashlimit, revision 3: an account for every combination of addresses and ports.
 *
 * The accounts are 64-bit numbers that wrap around as the kernel's do. Three kinds of them:
 *
 *     packets      credit grows by CREDITS_PER_JIFFY up to a cap; a packet costs `average`
 *     bytes        credit grows up to one second's worth; 16 bytes cost a share of it; `burst` times it is filled up when it runs out
 *     rate match   packets or bytes in a window of `interval` seconds; over the limit also while the last window was
 */

const U64 = 64;
const U64_MAX = (1n << 64n) - 1n;
const U32_MAX = 0xffff_ffffn;
const SECONDS_PER_DAY = 86_400n;
/** XT_HASHLIMIT_SCALE_v2: averages are millionths of a second. */
const SCALE = 1_000_000n;
const BYTE_SHIFT = 4n;

/** What a table counts and how: the configuration of the rule that makes it (struct hashlimit_cfg3). */
export interface HashlimitTable {
  readonly source: boolean;
  readonly destination: boolean;
  readonly sourcePort: boolean;
  readonly destinationPort: boolean;
  /** Prefix lengths. */
  readonly sourceMask: number;
  readonly destinationMask: number;
  readonly bytes: boolean;
  readonly rateMatch: boolean;
  readonly average: number;
  readonly burst: number;
  /** Milliseconds without a packet after which an account may go. */
  readonly expire: number;
  /** Milliseconds between two collections. */
  readonly collect: number;
  /** Seconds. */
  readonly interval: number;
  /** Buckets, 0: as many as suit the machine. */
  readonly size: number;
  /** Accounts, 0: 8 for each bucket. */
  readonly max: number;
}

/** One account. `a` is the credit or (rate match) 1 while the last window was over the limit; `b` the cap or the count. */
export interface HashlimitAccount {
  expires: bigint;
  previous: bigint;
  a: bigint;
  b: bigint;
}

/** The numbers that follow from a table's configuration and HZ. */
export interface HashlimitRates {
  /** Jiffies. */
  readonly expire: bigint;
  readonly collect: bigint;
  readonly perJiffy: bigint;
  readonly fresh: { readonly a: bigint; readonly b: bigint };
  /** What a packet, or 16 bytes, costs. */
  readonly cost: bigint;
  /** Bytes: the most that can be saved up. */
  readonly cap: bigint;
  /** Rate match: jiffies of a window, its limit, and what the next may reach. */
  readonly window: bigint;
  readonly rate: bigint;
  readonly most: bigint;
}

/** With the numbers that htable_create fills in. */
export function sizedTable(table: HashlimitTable, buckets: number): HashlimitTable {
  const size = table.size === 0 ? buckets : table.size;
  return { ...table, size, max: table.max === 0 ? 8 * size : Math.max(table.max, size) };
}

/** Whether two configurations keep the same kind of account, and both or neither look at ports, which not every packet has. */
export function sameKind(one: HashlimitTable, other: HashlimitTable): boolean {
  return one.bytes === other.bytes && one.rateMatch === other.rateMatch && readsPorts(one) === readsPorts(other);
}

function readsPorts({ sourcePort, destinationPort }: HashlimitTable): boolean {
  return sourcePort || destinationPort;
}

function powerBelow(limit: bigint): bigint {
  return 1n << BigInt(limit.toString(2).length - 1);
}

function u64(value: bigint): bigint {
  return BigInt.asUintN(U64, value);
}

/** msecs_to_jiffies, rounded up. */
export function jiffiesOf(milliseconds: number, hz: number): bigint {
  return (BigInt(milliseconds) * BigInt(hz) + 999n) / 1000n;
}

/** rateinfo_init and the constants around it. */
export function hashlimitRates(table: HashlimitTable, hz: number): HashlimitRates {
  const HZ = BigInt(hz);
  const average = BigInt(table.average);
  const burst = BigInt(table.burst);
  const common = {
    expire: jiffiesOf(table.expire, hz),
    collect: jiffiesOf(table.collect, hz),
    window: BigInt(table.interval) * HZ,
  };
  if (table.rateMatch) {
    const rate = table.bytes
      ? u64(((average === 0n ? U32_MAX : U32_MAX / average) - 1n) << BYTE_SHIFT)
      : SCALE / average;
    const most = table.bytes ? u64((burst === 0n ? 1n : burst) * rate) : burst + rate;
    return { ...common, perJiffy: 0n, fresh: { a: 0n, b: 0n }, cost: 0n, cap: 0n, rate, most };
  }
  if (table.bytes) {
    const perJiffy = powerBelow(U32_MAX / HZ);
    const cap = perJiffy * HZ;
    return { ...common, perJiffy, cap, fresh: { a: cap, b: burst }, cost: (average * cap) >> 32n, rate: 0n, most: 0n };
  }
  const perJiffy = powerBelow(U64_MAX / (HZ * SECONDS_PER_DAY));
  const unit = (HZ * perJiffy) / SCALE;
  const cap = u64(average * burst * unit);
  return { ...common, perJiffy, cap: 0n, fresh: { a: cap, b: cap }, cost: u64(average * unit), rate: 0n, most: 0n };
}

/** The time of the last collection: whatever had expired by then is gone. */
export function lastCollection(now: bigint, rates: Pick<HashlimitRates, 'collect'>): bigint {
  return now - (now % rates.collect);
}

export interface HashlimitMemory {
  readonly table: HashlimitTable;
  readonly rates: HashlimitRates;
  /** By key (hashlimitKey). */
  readonly accounts: Map<string, HashlimitAccount>;
  /** When expired accounts were last looked for because the table was full. */
  collected: bigint;
}

export function createHashlimitMemory(table: HashlimitTable, hz: number): HashlimitMemory {
  return { table, rates: hashlimitRates(table, hz), accounts: new Map(), collected: -1n };
}

/** What a packet is told by, in host order. */
export interface HashlimitKey {
  readonly saddr: bigint;
  readonly daddr: bigint;
  readonly sport: number;
  readonly dport: number;
}

/** The account's name: what of the packet the table looks at. `bits`: of an address. */
export function hashlimitKey(table: HashlimitTable, key: HashlimitKey, bits: number): string {
  const part = (wanted: boolean, address: bigint, prefix: number): bigint =>
    wanted ? (address >> BigInt(bits - prefix)) << BigInt(bits - prefix) : 0n;
  return [
    part(table.source, key.saddr, table.sourceMask).toString(16),
    part(table.destination, key.daddr, table.destinationMask).toString(16),
    table.sourcePort ? key.sport : 0,
    table.destinationPort ? key.dport : 0,
  ].join(' ');
}

/** hashlimit_mt_common: true if the packet is within the limit; the table is full: 'hotdrop'. `length`: skb->len. */
export function useHashlimit(memory: HashlimitMemory, key: string, length: number, now: bigint): boolean | 'hotdrop' {
  const { table, rates, accounts } = memory;
  let account = accounts.get(key);
  const collection = lastCollection(now, rates);
  if (account === undefined || account.expires <= collection) {
    if (account === undefined && !makeRoom(memory, collection)) return 'hotdrop';
    account = { expires: 0n, previous: now, ...rates.fresh };
    accounts.set(key, account);
  } else recalculate(account, table, rates, now);
  account.expires = now + rates.expire;
  return table.rateMatch ? countInWindow(account, table, rates, length) : pay(account, table, rates, length);
}

function makeRoom(memory: HashlimitMemory, collection: bigint): boolean {
  const { accounts, table } = memory;
  if (accounts.size < table.max) return true;
  if (memory.collected !== collection) {
    memory.collected = collection;
    for (const [key, { expires }] of accounts) if (expires <= collection) accounts.delete(key);
  }
  return accounts.size < table.max;
}

/** rateinfo_recalc */
function recalculate(account: HashlimitAccount, table: HashlimitTable, rates: HashlimitRates, now: bigint): void {
  const elapsed = u64(now - account.previous);
  if (elapsed === 0n) return;
  if (table.rateMatch) {
    if (elapsed < rates.window) return;
    account.previous = now;
    account.a = u64(account.b * rates.window) > u64(elapsed * rates.rate) ? 1n : 0n;
    account.b = 0n;
    return;
  }
  account.previous = now;
  const before = account.a;
  account.a = u64(before + u64(elapsed * rates.perJiffy));
  if (table.bytes) {
    if (before >= account.a || account.a > rates.cap) account.a = rates.cap;
  } else if (account.a > account.b) account.a = account.b;
}

function countInWindow(
  account: HashlimitAccount,
  table: HashlimitTable,
  rates: HashlimitRates,
  length: number,
): boolean {
  account.b = u64(account.b + (table.bytes ? BigInt(length) : 1n));
  return account.a === 0n && account.b <= rates.most;
}

function pay(account: HashlimitAccount, table: HashlimitTable, rates: HashlimitRates, length: number): boolean {
  const cost = table.bytes ? byteCost(account, rates, length) : rates.cost;
  if (account.a < cost) return false;
  account.a -= cost;
  return true;
}

/** hashlimit_byte_cost: what the bytes cost, after a burst has filled the account up if it must. */
function byteCost(account: HashlimitAccount, rates: HashlimitRates, length: number): bigint {
  const chunks = (BigInt(length) >> BYTE_SHIFT) + 1n;
  const whole = chunks * rates.cost;
  const cost = whole > rates.cap ? rates.cap : whole;
  if (account.a < cost && account.b > 0n) {
    account.b -= 1n;
    account.a = rates.cap;
  }
  return cost;
}
