/**
 * What a check of `trunkscope doctor` has to say, and how checks are run: side by side, each within a time limit, none of
 * them able to end the others.
 */
export interface Finding {
  /** What was looked at: "udp buffer", "kafka topic". */
  check: string
  level: 'ok' | 'warn' | 'fail'
  sentence: string
  /** What to do about it. There whenever the level is not ok. */
  fix?: string
}

export interface Check {
  name: string
  run(): Promise<Finding[]> | Finding[]
}

export function ok(check: string, sentence: string): Finding {
  return { check, level: 'ok', sentence }
}

export function warn(check: string, sentence: string, fix: string): Finding {
  return { check, level: 'warn', sentence, fix }
}

export function fail(check: string, sentence: string, fix: string): Finding {
  return { check, level: 'fail', sentence, fix }
}

/** The findings in the order of the checks. */
export async function runChecks(checks: readonly Check[], limitMs: number): Promise<Finding[]> {
  const findings = await Promise.all(checks.map((check) => runOne(check, limitMs)))
  return findings.flat()
}

async function runOne(check: Check, limitMs: number): Promise<Finding[]> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Finding[]>((resolve) => {
    timer = setTimeout(() => {
      const sentence = `no answer within ${limitMs / 1_000} s`
      resolve([
        fail(
          check.name,
          sentence,
          'Whatever it asks hangs: look at that host, its disks and the network between',
        ),
      ])
    }, limitMs)
  })
  try {
    return await Promise.race([Promise.resolve().then(() => check.run()), late])
  } catch (error) {
    const { message } = error as Error
    return [
      fail(
        check.name,
        `could not be looked at: ${message}`,
        'This is a mistake in the check; please report it',
      ),
    ]
  } finally {
    clearTimeout(timer)
  }
}

const MEBIBYTE = 1_048_576

/** "512.0 MiB", "12.3 GiB". */
export function sizeText(bytes: number): string {
  if (bytes >= 1_024 * MEBIBYTE) return `${(bytes / MEBIBYTE / 1_024).toFixed(1)} GiB`
  return `${(bytes / MEBIBYTE).toFixed(1)} MiB`
}
