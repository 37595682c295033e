import { describe, expect, it } from 'vitest'
import { SharedAnswers } from '../../../api/prom/sharing.js'

const gate = () => {
  let open = () => {}
  const passed = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open: () => open(), passed }
}

describe('answers of equal questions', () => {
  it('are shared while they are made and for some seconds after', async () => {
    let nowMs = 0
    let asked = 0
    const answers = new SharedAnswers<number>(() => nowMs)
    const ask = (key: string) => answers.get(key, async () => ++asked)
    expect(await Promise.all([ask('a'), ask('a'), ask('b')])).toEqual([1, 1, 2])
    nowMs = 4_999
    expect(await ask('a')).toBe(1)
    nowMs = 5_000
    expect(await ask('a')).toBe(3)
  })

  it('that failed are made anew', async () => {
    const answers = new SharedAnswers<number>(() => 0)
    await expect(answers.get('a', () => Promise.reject(new Error('once')))).rejects.toThrow('once')
    expect(await answers.get('a', async () => 1)).toBe(1)
  })

  it('are made a few at a time, and too many at once are refused', async () => {
    const answers = new SharedAnswers<number>(() => 0)
    const { open, passed } = gate()
    let running = 0
    let most = 0
    const asked = Array.from({ length: 204 }, (_, index) =>
      answers.get(`question ${index}`, async () => {
        running++
        most = Math.max(most, running)
        await passed
        running--
        return index
      }),
    )
    await expect(answers.get('one more', async () => 0)).rejects.toMatchObject({ errorType: 'timeout' })
    open()
    expect(await Promise.all(asked)).toEqual(Array.from({ length: 204 }, (_, index) => index))
    expect(most).toBe(4)
  })
})
