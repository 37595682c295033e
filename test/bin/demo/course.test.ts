import { describe, expect, it } from 'vitest'
import { Behaviour, ENDINGS, type Outcome } from '../../../bin/demo/behaviour.js'
import { type Course, drawCourse } from '../../../bin/demo/course.js'
import { DEMO_CARRIERS } from '../../../bin/demo/network.js'
import { SeededRandom } from '../../../bin/demo/seeded-random.js'

const OUTCOMES = Object.keys(ENDINGS) as Outcome[]
const random = new SeededRandom('courses')

function draw(outcome: Outcome, count = 30): Course[] {
  const courses: Course[] = []
  for (const { id } of DEMO_CARRIERS) {
    const behaviour = new Behaviour(id)
    for (let index = 0; index < count; index++) {
      for (const direction of ['inbound', 'outbound'] as const) {
        const repeats = index % 2 === 0
        courses.push(
          drawCourse({ random, behaviour, direction, outcome, pddFactor: 1 + (index % 3), repeats }),
        )
      }
    }
  }
  return courses
}

describe('course of a call', () => {
  it.each(OUTCOMES)(
    '%s: everything happens in the order of a real exchange, in whole microseconds',
    (outcome) => {
      for (const course of draw(outcome)) {
        const inOrder = [
          0,
          course.challengedAfterUs || undefined,
          course.retriedAfterUs || undefined,
          course.tryingAfterUs || undefined,
          ...course.progress.map((step) => step.afterUs),
          course.cancelAfterUs || undefined,
          course.final?.afterUs,
          course.bye?.afterUs,
        ].filter((time) => time !== undefined)
        expect(inOrder).toEqual([...new Set(inOrder)].sort((one, other) => one - other))
        expect(inOrder.every(Number.isSafeInteger)).toBe(true)
        expect(course.bye !== undefined).toBe(outcome.startsWith('answered'))
      }
    },
  )

  it('a caller who gives up is never within half a second of a ring timer, and the timer always is', () => {
    const offTimer = (course: Course) => {
      const rangS = (course.cancelAfterUs - course.progress[0]!.afterUs) / 1_000_000
      return Math.min(...[30, 60, 90, 120, 180].map((timer) => Math.abs(rangS - timer)))
    }
    for (const course of draw('abandoned', 200)) expect(offTimer(course)).toBeGreaterThan(0.7)
    for (const course of draw('ring_timer')) expect(offTimer(course)).toBeLessThan(0.2)
  })

  it('a misdialled call is given up within 4 s, a hopeless one after', () => {
    for (const course of draw('misdialled')) expect(course.cancelAfterUs).toBeLessThan(3_900_000)
    for (const course of draw('out_of_patience')) expect(course.cancelAfterUs).toBeGreaterThan(4_300_000)
  })

  it('an INVITE nobody answers is sent until timer B, over UDP only', () => {
    const copies = new Set(draw('no_response').map((course) => course.inviteCopiesAfterUs.length))
    expect(copies).toEqual(new Set([0, 6]))
    for (const course of draw('no_response'))
      expect([course.tryingAfterUs, course.final]).toEqual([0, undefined])
  })
})
