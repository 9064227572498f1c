import type { ValueType } from '../contract.ts';
import { bad, good, wrongKind } from './numbers.ts';
import { parsePort } from './port.ts';

/** One port by number or name of a service, printed as a number. */
export const portNumber: ValueType = {
  words: 1,
  parse([text = '']) {
    const port = parsePort(text);
    if (port === undefined) return bad(`"${text}" is neither a port number nor the name of a service`);
    return good({ kind: 'integer', value: port });
  },
  print: (value) => [value.kind === 'integer' ? String(value.value) : wrongKind(value)],
};
