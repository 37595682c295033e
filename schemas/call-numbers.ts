// tidy: tested by test/evidence/job.test.ts
/**
 * The numbers by which attempts are compared with each other, as SQL over `call_attempts`. Digits only.
 *
 *   caller  P-Asserted-Identity, else From: at least seven digits
 *   callee  To, else the Request-URI: To stays what was dialled when the Request-URI gets a prefix for one carrier; at least
 *           three digits (112, 911)
 *   e164    where the call was routed, else what was dialled: '+' and a global number in full
 *
 * '' for what is shorter, a name, anonymous or empty: that equals nothing. Source: metrics.md §10.
 */
const firstNumber = (columns: readonly [string, string], digitsMin: number) => {
  const is = (column: string) => `match(${column}, '^[+]?[0-9]{${digitsMin},}$')`
  return `replaceOne(multiIf(${is(columns[0])}, ${columns[0]}, ${is(columns[1])}, ${columns[1]}, ''), '+', '')`
}

export const CALLER = firstNumber(['calling_number', 'from_number'], 7)
export const CALLEE = firstNumber(['dialled_number', 'called_number'], 3)
export const E164 = `multiIf(match(called_number, '^[+][1-9][0-9]{6,14}$'), called_number,
  match(dialled_number, '^[+][1-9][0-9]{6,14}$'), dialled_number, '')`
