import { once } from 'node:events'
import { afterEach, describe, expect, test } from 'vitest'
import { type ReloadOptions, reloadOnce, reloadOnHup } from '../../../bin/run/reload.js'
import { configSchema } from '../../../schemas/config.js'

const CONFIG = configSchema.parse({})

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

function reloadable(options: Partial<ReloadOptions> = {}) {
  const lines: string[] = []
  const applied: unknown[] = []
  const settings: ReloadOptions = {
    configPath: 'trunkscope.yaml',
    read: () => CONFIG,
    apply: async (config) => {
      applied.push(config)
      return []
    },
    log: (level, sentence) => lines.push(`${level} ${sentence}`),
    ...options,
  }
  return { applied, lines, settings }
}

describe('reload', () => {
  test('the configuration is read, taken over, and the log says so', async () => {
    const { applied, lines, settings } = reloadable()
    await reloadOnce(settings)
    expect(applied).toEqual([CONFIG])
    expect(lines).toEqual(['info SIGHUP: trunkscope.yaml was read again and holds from now on'])
  })

  test('a file with a mistake keeps the old configuration and names the mistake', async () => {
    const { applied, lines, settings } = reloadable({
      read: () => {
        throw new Error('trunkscope.yaml:3: carriers[0].peer: is not a key here')
      },
    })
    await reloadOnce(settings)
    expect(applied).toEqual([])
    expect(lines).toEqual([
      'error SIGHUP: trunkscope.yaml was not taken over, everything stays as it was: ' +
        'trunkscope.yaml:3: carriers[0].peer: is not a key here',
    ])
  })

  test('what cannot be taken over is an error, what could not be done in part a warning', async () => {
    const refusing = reloadable({ apply: () => Promise.reject(new Error('HEP would be open to anyone')) })
    await reloadOnce(refusing.settings)
    expect(refusing.lines).toEqual([expect.stringMatching(/^error .*stays as it was: HEP would be open/)])
    const partly = reloadable({ apply: async () => ['The certificates in use stay.'] })
    await reloadOnce(partly.settings)
    expect(partly.lines).toEqual(['warn The certificates in use stay.', expect.stringMatching(/^info /)])
  })

  test('without a file there is nothing to read', async () => {
    const { applied, lines, settings } = reloadable({ configPath: undefined })
    await reloadOnce(settings)
    expect(applied).toEqual([])
    expect(lines).toEqual([expect.stringContaining('--config')])
  })

  test('SIGHUPs that come during a reload make one more behind it, and none side by side', async () => {
    let running = 0
    let done = 0
    const waiting: (() => void)[] = []
    const { settings } = reloadable({
      apply: async () => {
        expect(++running).toBe(1)
        await new Promise<void>((resolve) => waiting.push(resolve))
        running--
        done++
        return []
      },
    })
    stops.push(reloadOnHup(settings))
    const hup = async () => {
      const heard = once(process, 'SIGHUP')
      process.kill(process.pid, 'SIGHUP')
      await heard
    }
    for (let count = 0; count < 3; count++) await hup()
    while (waiting.length < 1) await new Promise((resolve) => setImmediate(resolve))
    waiting.shift()!()
    while (waiting.length < 1) await new Promise((resolve) => setImmediate(resolve))
    waiting.shift()!()
    while (done < 2) await new Promise((resolve) => setImmediate(resolve))
    await new Promise((resolve) => setImmediate(resolve))
    expect([done, running, waiting.length]).toEqual([2, 0, 0])
  })

  test('who stops listening leaves the signal alone', () => {
    const before = process.listenerCount('SIGHUP')
    const stop = reloadOnHup(reloadable().settings)
    expect(process.listenerCount('SIGHUP')).toBe(before + 1)
    stop()
    expect(process.listenerCount('SIGHUP')).toBe(before)
  })
})
