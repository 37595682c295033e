import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readConfig } from '../../bin/connect/config.js'
import { ANOMALY_RULES, conditionText, FAS_PARTS } from '../../schemas/anomalies.js'
import { configSchema } from '../../schemas/config.js'

const { early_media, fas } = configSchema.parse({}).thresholds

function mistakesOf(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'trunkscope-config-'))
  try {
    writeFileSync(join(folder, 'trunkscope.yaml'), text)
    readConfig(join(folder, 'trunkscope.yaml'), {})
    return ''
  } catch (error) {
    return (error as Error).message.replaceAll(folder, '')
  } finally {
    rmSync(folder, { recursive: true })
  }
}

describe('definitions of suspicions', () => {
  test('have the thresholds of metrics.md §5 by default', () => {
    expect(early_media).toEqual({
      announce_fail_ms: 2_000,
      announce_cancel_ms: 8_000,
      long_info_ms: 60_000,
      long_warn_ms: 180_000,
      late_180_ms: 10_000,
      prack_ms: 32_000,
      late_18x_ms: 8_000,
      late_18x_international_ms: 11_000,
      late_18x_routes: [],
      ring_zero_ms: 300,
      answers_at_once: [],
    })
    expect(fas).toMatchObject({
      no_progress_ms: 1_500,
      early_answer_ms: 2_000,
      early_answer_call_ms: 10_000,
      answers_min: 30,
      flat_tta_ratio: 0.1,
      callee_bye_ratio: 0.02,
      peers_standard_errors: 3,
      peers_acd_ratio: 0.5,
    })
  })

  test('name thresholds that exist, and are shown with their values', () => {
    for (const rule of [...Object.values(ANOMALY_RULES), ...Object.values(FAS_PARTS)]) {
      const text = conditionText(rule, { ...early_media, ...fas })
      expect(text).not.toMatch(/undefined|[{}]/)
    }
    expect(conditionText(ANOMALY_RULES.RING_ZERO, { ...early_media, ...fas })).toContain('300 ms or less')
  })

  test('a mistake in a threshold names its line and what to write', () => {
    const text = [
      'thresholds:',
      '  early_media:',
      '    ring_zero_ms: soon',
      '    answers_at_once: ["+1800", "freephone"]',
      '    late_18x_routes: [{ prefix: "+44" }]',
      '  fas:',
      '    answer_min: 5',
    ].join('\n')
    const mistakes = mistakesOf(text)
    expect(mistakes).toContain('trunkscope.yaml:3: thresholds.early_media.ring_zero_ms')
    expect(mistakes).toContain(
      'trunkscope.yaml:4: thresholds.early_media.answers_at_once[1]: "freephone" is no number',
    )
    expect(mistakes).toContain('trunkscope.yaml:5: thresholds.early_media.late_18x_routes[0].late_18x_ms')
    expect(mistakes).toContain('trunkscope.yaml:7')
    expect(mistakes).toContain('answers_min')
  })
})
