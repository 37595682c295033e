/**
 * Burn of the error budgets as panels and Grafana-managed rules draw it: the windows and limits of metrics.md §8 for an
 * objective of 30 days (test/dashboards/burn.test.ts compares them with the api's).
 */
export interface BurnRule {
  alert: 'SloBurnFast' | 'SloBurnSlow' | 'SloBudgetDrain'
  severity: 'page' | 'ticket'
  long: string
  short: string
  limit: number
}

export const BURN_RULES: readonly BurnRule[] = [
  { alert: 'SloBurnFast', severity: 'page', long: '1h', short: '5m', limit: 14.4 },
  { alert: 'SloBurnSlow', severity: 'page', long: '6h', short: '30m', limit: 6 },
  { alert: 'SloBudgetDrain', severity: 'ticket', long: '3d', short: '6h', limit: 1 },
]

export function burn(window: string): string {
  return `trunkscope_slo_burn_ratio{window="${window}"}`
}

/** Where both windows agree. The floor of bad calls and the Wilson gate are Trunkscope's own: PromQL has no square root. */
export function burning({ long, short, limit }: BurnRule): string {
  return `${burn(long)} >= ${limit} and ignoring (window) ${burn(short)} >= ${limit}`
}
