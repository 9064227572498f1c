/** Conditions of the jump instructions, on 64-bit values as halves and on 32-bit values. `code`: upper four opcode bits. */

/** Whether the 64-bit condition holds; undefined: no such condition. */
export function holds64(code: number, dlo: number, dhi: number, slo: number, shi: number): boolean | undefined {
  switch (code) {
    case 0x1:
      return dlo === slo && dhi === shi;
    case 0x2:
      return above(dlo, dhi, slo, shi);
    case 0x3:
      return !above(slo, shi, dlo, dhi);
    case 0x4:
      return ((dlo & slo) | (dhi & shi)) !== 0;
    case 0x5:
      return dlo !== slo || dhi !== shi;
    case 0x6:
      return greater(dlo, dhi, slo, shi);
    case 0x7:
      return !greater(slo, shi, dlo, dhi);
    case 0xa:
      return above(slo, shi, dlo, dhi);
    case 0xb:
      return !above(dlo, dhi, slo, shi);
    case 0xc:
      return greater(slo, shi, dlo, dhi);
    case 0xd:
      return !greater(dlo, dhi, slo, shi);
    default:
      return undefined;
  }
}

/** Whether the 32-bit condition holds; undefined: no such condition. Operands are signed. */
export function holds32(code: number, d: number, s: number): boolean | undefined {
  switch (code) {
    case 0x1:
      return d === s;
    case 0x2:
      return d >>> 0 > s >>> 0;
    case 0x3:
      return d >>> 0 >= s >>> 0;
    case 0x4:
      return (d & s) !== 0;
    case 0x5:
      return d !== s;
    case 0x6:
      return d > s;
    case 0x7:
      return d >= s;
    case 0xa:
      return d >>> 0 < s >>> 0;
    case 0xb:
      return d >>> 0 <= s >>> 0;
    case 0xc:
      return d < s;
    case 0xd:
      return d <= s;
    default:
      return undefined;
  }
}

function above(alo: number, ahi: number, blo: number, bhi: number): boolean {
  return ahi === bhi ? alo >>> 0 > blo >>> 0 : ahi >>> 0 > bhi >>> 0;
}

function greater(alo: number, ahi: number, blo: number, bhi: number): boolean {
  return ahi === bhi ? alo >>> 0 > blo >>> 0 : ahi > bhi;
}
