import { describe, expect, test } from 'vitest'
import { foldOf } from '../../../collector/fold-wiring.js'
import { changesOf } from '../../../collector/recompute/call-changes.js'
import { CallFold } from '../../../collector/recompute/call-fold.js'
import { COMPARED_COLUMNS, type StoredAttempt } from '../../../collector/recompute/stored-calls.js'
import { configSchema } from '../../../schemas/config.js'
import { identitiesOf, observed } from '../../support/messages.js'

const { addMessage } = await import('../../../collector/fold/add-message.js')
const FOLD = {
  ...foldOf(configSchema.parse({})),
  addMessage: (facts: Parameters<typeof addMessage>[0], message: Parameters<typeof addMessage>[1]) =>
    addMessage(facts, message, identitiesOf),
}
const SPAN = { fromS: 0, toS: 4_000_000_000 }

function callOf(): CallFold {
  const call = new CallFold('call-1', FOLD)
  for (const message of [observed({}), observed({ at: 1, code: 180 }), observed({ at: 5, code: 486 })])
    call.add(message)
  return call
}

/** The row that stands, with these facts in it. */
function standing(factsText: (text: string) => string): StoredAttempt {
  const [{ id, facts }] = callOf().attempts() as [ReturnType<CallFold['attempts']>[number]]
  const attempt = FOLD.attemptOf(id, facts, 4e15)
  const text = factsText(FOLD.factsText(facts))
  const row = { attempt, version: 1, isDeleted: false, busPartition: 0, storedAtS: 0, factsText: text }
  return {
    id,
    callId: 'call-1',
    minuteS: attempt.minuteS,
    endMinuteS: attempt.endMinuteS,
    version: 1,
    busPartition: 0,
    state: attempt.state,
    facts: text,
    values: Object.fromEntries(COMPARED_COLUMNS.map(({ name, of }) => [name, of(row)])),
  }
}

const changed = (row: StoredAttempt) => {
  const judge = { fold: FOLD, span: SPAN, asOfUs: () => 4e15, busPartitionOf: () => 0, storedAtS: 0 }
  const { rows, counts } = changesOf(callOf(), [row], judge)
  return { rows: rows.length, unchanged: counts.unchanged }
}

describe('changes of a call', () => {
  test('a row that says the same stays as it is', () => {
    expect(changed(standing((text) => text))).toEqual({ rows: 0, unchanged: 1 })
  })

  test('so does one whose facts stand in the text of an earlier version', () => {
    const row = standing((text) => JSON.stringify(FOLD.factsFromText(text)))
    expect(row.facts.startsWith('{')).toBe(true)
    expect(changed(row)).toEqual({ rows: 0, unchanged: 1 })
  })

  test('one with another outcome is written anew', () => {
    const row = standing((text) => text)
    expect(changed({ ...row, values: { ...row.values, final_code: 603 } })).toEqual({ rows: 1, unchanged: 0 })
  })
})
