import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Matcher } from '../../../api/prom/series.js'
import { DAY_S, is, MONDAY_S, RollupCalls, type Wanted } from './rollup-calls.js'

let seeded: RollupCalls
const read = (wanted: Wanted) => seeded.read(wanted)

beforeAll(async () => {
  seeded = await RollupCalls.seed()
}, 60_000)
afterAll(() => seeded.store.close())

describe('matchers', () => {
  const PLACES = { carrier: ['alpha', 'beta', 'former', 'unknown'], site: ['dal', 'fra', 'unknown'] }
  const text = fc.constantFrom(
    'alpha',
    'beta',
    'dal',
    'unknown',
    '',
    'alpha|beta',
    '(alpha|former)',
    'a.*',
    '.*',
    '.+',
    '[a-f].+',
    'd[a]l|',
    '^fra$',
    'al',
    'ALPHA',
    '(?i)ALPHA',
    'dal|fra|x\\.y',
    '\\w+',
    '.*n',
    'b.ta|unknown',
  )
  const matcher: fc.Arbitrary<Matcher> = fc.record({
    label: fc.constantFrom('carrier', 'site', 'direction', 'code', 'nonesuch', 'le'),
    op: fc.constantFrom('=', '!=', '=~', '!~'),
    value: fc.oneof(text, fc.constantFrom('503', '4..', '200|486', '[45].*')),
  })
  /** The oracle may use JavaScript's engine: these texts are its own. */
  const fits = ({ op, value }: Matcher, actual: string) => {
    if (op === '=') return actual === value
    if (op === '!=') return actual !== value
    const insensitive = value.startsWith('(?i)')
    const isMatch = new RegExp(`^(?:${value.replace('(?i)', '')})$`, insensitive ? 'i' : '').test(actual)
    return isMatch === (op === '=~')
  }

  it('any of them choose the series that an oracle chooses', async () => {
    const [atS, windowS] = [MONDAY_S + 3 * DAY_S, 4 * DAY_S]
    const all = await read({ metric: 'trunkscope_responses_total', atS, windowS })
    expect(new Set(all.map(({ labels }) => labels.carrier))).toEqual(new Set(PLACES.carrier))
    expect(new Set(all.map(({ labels }) => labels.site))).toEqual(new Set(PLACES.site))
    await fc.assert(
      fc.asyncProperty(fc.array(matcher, { maxLength: 3 }), async (matchers) => {
        const chosen = await read({ metric: 'trunkscope_responses_total', matchers, atS, windowS })
        expect(chosen).toEqual(
          all.filter(({ labels }) => matchers.every((one) => fits(one, labels[one.label] ?? ''))),
        )
      }),
      { numRuns: 80 },
    )
  }, 60_000)

  it('choose KPIs, edges and names too', async () => {
    const at = { atS: MONDAY_S + 3 * DAY_S, windowS: 4 * DAY_S }
    const label = async (name: string, metric: string | undefined, matchers: Matcher[]) => [
      ...new Set((await read({ metric, matchers, ...at })).map(({ labels }) => labels[name])),
    ]
    expect(
      await label('kpi', 'trunkscope_kpi_numerator_total', [{ label: 'kpi', op: '=~', value: 'a[cs].' }]),
    ).toEqual(expect.arrayContaining(['asr', 'acd']))
    expect(
      await label('kpi', 'trunkscope_kpi_numerator_total', [{ label: 'kpi', op: '=~', value: 'ner|asr' }]),
    ).toEqual(['asr', 'ner'])
    expect(
      await label('le', 'trunkscope_post_dial_delay_seconds_bucket', [
        { label: 'le', op: '=~', value: '\\+Inf|5\\..*' },
      ]),
    ).toEqual(['5.12812', '+Inf'])
    expect(
      await label('__name__', undefined, [
        { label: '__name__', op: '=~', value: 'trunkscope_(attempts|cancels).*' },
      ]),
    ).toEqual(['trunkscope_attempts_total', 'trunkscope_cancels_total'])
    expect(await label('__name__', undefined, [is('class', 'PRE_RING_CANCEL')])).toEqual([
      'trunkscope_cancels_total',
    ])
  })

  it('a regular expression that is none is bad data, also where nothing would be read', async () => {
    for (const label of ['carrier', 'code', 'nonesuch']) {
      await expect(
        read({
          metric: 'trunkscope_responses_total',
          matchers: [{ label, op: '=~', value: 'a(' }],
          atS: 400,
        }),
      ).rejects.toMatchObject({ errorType: 'bad_data', message: 'not a regular expression of RE2: "a("' })
    }
  })

  it('quotes and backslashes in values are values', async () => {
    for (const value of ["' OR 1=1 --", '\\', '{m0:String}', "x'y", '\n\t', '\u0000']) {
      expect(await read({ metric: 'trunkscope_attempts_total', matchers: [is('carrier', value)] })).toEqual(
        [],
      )
      const around = { label: 'carrier', op: '=~', value: `${value.replace(/\W/g, '.')}+?` } as const
      expect(await read({ metric: 'trunkscope_attempts_total', matchers: [around] })).toEqual([])
    }
  })
})
