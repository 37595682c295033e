/** Every number of the answers below is defined once, in the catalog of KPIs or in that of figures. */
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { attestationAnswer } from '../../api/attestation/attestation.js'
import { call } from '../../api/calls/call.js'
import { cancelsAnswer } from '../../api/cancels/cancels.js'
import { earlyMediaAnswer } from '../../api/early-media/early-media.js'
import { fasAnswer } from '../../api/early-media/fas.js'
import { certificatesAnswer } from '../../api/identity/certificates.js'
import { signersAnswer } from '../../api/identity/signers.js'
import { kpiAnswer } from '../../api/kpi/answer.js'
import { catalogAnswer, catalogOf } from '../../api/kpi/catalog-answer.js'
import { destinationsAnswer } from '../../api/numbers/destinations.js'
import { inventoryState } from '../../api/numbers/inventory-state.js'
import { misroutedAnswer } from '../../api/numbers/misrouted.js'
import { peersAnswer } from '../../api/peers/peers.js'
import { ROWS } from '../../api/scorecards/rows.js'
import { SIGNATURE_ROWS } from '../../api/scorecards/signature-rows.js'
import { SUSPICION_ROWS } from '../../api/scorecards/suspicions.js'
import { capacityAnswer } from '../../api/trunks/peaks.js'
import { trunkAnswer, trunksAnswer } from '../../api/trunks/trunks.js'
import { CANCEL_CLASSES } from '../../schemas/attempt.js'
import { CANCEL_CLASS_RULES } from '../../schemas/cancel-classes.js'
import { configSchema } from '../../schemas/config.js'
import { figureCatalog } from '../../schemas/figure-catalog.js'
import { SCORECARD_ROWS } from '../../schemas/figures/figure.js'
import { KPI_CATALOG, KPI_NAMES } from '../../schemas/kpi-catalog.js'
import { kpiReference } from '../../schemas/kpi-reference.js'

const ANSWERS: Readonly<Record<string, z.ZodType>> = {
  '/v1/kpis': kpiAnswer,
  '/v1/cancels': cancelsAnswer,
  '/v1/attempts/{id}': z.object({ call }),
  '/v1/attestation': attestationAnswer,
  '/v1/identity/signers': signersAnswer,
  '/v1/identity/certificates': certificatesAnswer,
  '/v1/early-media': earlyMediaAnswer,
  '/v1/fas': fasAnswer,
  '/v1/trunks': trunksAnswer,
  '/v1/trunks/{id}': trunkAnswer,
  '/v1/capacity': capacityAnswer,
  '/v1/destinations': destinationsAnswer,
  '/v1/numbers': inventoryState,
  '/v1/numbers/misrouted': misroutedAnswer,
  '/v1/peers': peersAnswer,
}

/** Numbers that measure nothing. */
const NO_FIGURES: readonly RegExp[] = [
  /^thresholds$|^thresholds\./, // Of the configuration.
  /(^|\.)version$/,
  /^(step_s|within_days|certificates\.within_days|more)$/, // Of the question, and what one answer leaves out.
  /\.(last_options\.status|legs\.final_code)$/, // A status code.
  /^(bytes|errors\.line)$/, // Of a file.
]

interface Shape {
  type?: string
  properties?: Record<string, Shape>
  items?: Shape
  additionalProperties?: Shape | boolean
  anyOf?: Shape[]
  oneOf?: Shape[]
}

/** Every path of an answer, and whether a number may stand there; of lists and records the path is that of what is in them. */
function pathsOf(shape: Shape, path = ''): { path: string; isNumber: boolean }[] {
  const { properties = {}, items, additionalProperties: more, anyOf = [], oneOf = [] } = shape
  const inside = [items, typeof more === 'object' ? more : undefined, ...anyOf, ...oneOf]
  return [
    { path, isNumber: shape.type === 'number' || shape.type === 'integer' },
    ...Object.entries(properties).flatMap(([name, of]) =>
      pathsOf(of, path === '' ? name : `${path}.${name}`),
    ),
    ...inside.flatMap((of) => (of === undefined ? [] : pathsOf(of, path))),
  ]
}

const shapeOf = (answer: string) =>
  pathsOf(z.toJSONSchema(ANSWERS[answer]!, { io: 'output', unrepresentable: 'any' }) as Shape)

const { thresholds } = configSchema.parse({})
const figures = figureCatalog(thresholds).flatMap((section) => Object.entries(section.figures))
const fieldsIn = (answer: string) =>
  figures.flatMap(([, { fields }]) =>
    fields.filter((text) => text.startsWith(`${answer} `)).map((text) => text.slice(answer.length + 1)),
  )

const rows = [...ROWS, ...SUSPICION_ROWS, ...SIGNATURE_ROWS]

describe('figures', () => {
  test.each(Object.keys(ANSWERS))('every number of %s is one of a catalog', (answer) => {
    const fields = fieldsIn(answer)
    const isDefined = (path: string) =>
      fields.some((field) => path === field || path.startsWith(`${field}.`)) ||
      path.split('.').some((part) => part === 'kpis' || KPI_NAMES.includes(part)) ||
      NO_FIGURES.some((pattern) => pattern.test(path))
    const undefinedNumbers = shapeOf(answer)
      .filter(({ path, isNumber }) => isNumber && !isDefined(path))
      .map(({ path }) => path)
    expect([...new Set(undefinedNumbers)]).toEqual([])
  })

  test('every figure stands where it says', () => {
    const wrong = figures.flatMap(([id, { fields }]) =>
      fields.filter((text) => {
        if (text === SCORECARD_ROWS) return !rows.some((row) => row.id === id)
        const [answer = '', field] = text.split(' ')
        return ANSWERS[answer] === undefined || !shapeOf(answer).some(({ path }) => path === field)
      }),
    )
    expect(wrong).toEqual([])
  })

  test('a row of the scorecard is a KPI, a figure, or a formula of the scorecard alone', () => {
    const known = new Set([...KPI_NAMES, ...figures.map(([id]) => id)])
    const unknown = rows.filter(({ id, source }) => !known.has(id) && source !== 'metrics.md §9')
    expect(unknown.map(({ id }) => id)).toEqual([])
  })

  test('each has one id, a formula, and a source that is a standard’s section or our decision', () => {
    const ids = [...KPI_CATALOG.map(({ id }) => id), ...figures.map(([id]) => id)]
    expect(ids.filter((id, at) => ids.indexOf(id) !== at)).toEqual([])
    const loose = figures.filter(
      ([, { formula, source }]) =>
        !formula.endsWith('.') || !/RFC \d+|our decision|metrics\.md §/.test(source),
    )
    expect(loose.map(([id]) => id)).toEqual([])
  })

  test('the reference names each of them, and /v1/catalog gives each with its formula', () => {
    const text = kpiReference()
    const answer = catalogOf({ thresholds })
    expect(catalogAnswer.safeParse(answer).error).toBeUndefined()
    expect(answer.kpis.map(({ id }) => id)).toEqual(KPI_CATALOG.map(({ id }) => id))
    expect(answer.figures.map(({ id, formula }) => [id, formula])).toEqual(
      figures.map(([id, { formula }]) => [id, formula]),
    )
    // Parts of the FAS score stand under their codes.
    const shown = figures.map(([id]) =>
      id.replace(/^fas_part_(\w+)$/, (_, part) => `FAS_${part.toUpperCase()}`),
    )
    expect(shown.filter((id) => !text.includes(`| \`${id}\` |`))).toEqual([])
  })
})

test('each cause says whose fault it is, and is one row of the scorecard but for what was answered', () => {
  const onCard = CANCEL_CLASSES.filter((name) => ROWS.some(({ id }) => id === CANCEL_CLASS_RULES[name].id))
  expect(CANCEL_CLASSES.filter((name) => !onCard.includes(name))).toEqual(['CANCEL_RACE_200'])
  for (const name of onCard) {
    const { id, fault, faultText } = CANCEL_CLASS_RULES[name]
    const row = ROWS.find((known) => known.id === id)!
    expect([id, row.better]).toEqual([id, fault === 'none' ? null : 'lower'])
    expect(row.formula).toContain(`Whose fault it is: ${faultText}.`)
  }
})
