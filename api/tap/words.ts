/** Numbers in the sentences of a verdict: plain text, as JSON and logs carry it. */

/** "0.4 s", "42 s", "3 min 20 s", "5 h 4 min". */
export function seconds(us: number): string {
  const s = us / 1e6
  if (s < 9.95) return `${s.toFixed(1)} s`
  const whole = Math.round(s)
  if (whole < 60) return `${whole} s`
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  if (whole < 86_400) return `${Math.floor(whole / 3_600)} h ${Math.floor((whole % 3_600) / 60)} min`
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3_600)} h`
}

export function perHundred(ratio: number): string {
  return `${(ratio * 100).toFixed(ratio < 0.1 ? 2 : 1)} %`
}

export function count(value: number, one: string): string {
  return `${value} ${one}${value === 1 ? '' : 's'}`
}
