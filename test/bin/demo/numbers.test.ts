import { describe, expect, it } from 'vitest'
import { drawNumber, type Region } from '../../../bin/demo/numbers.js'
import { SeededRandom } from '../../../bin/demo/seeded-random.js'

const FICTITIOUS: Record<Region, RegExp> = {
  us: /^\+1[2-9]\d\d55501\d\d$/,
  uk: /^\+44(207946\d{4}|1134960\d{3}|1614960\d{3}|7700900\d{3})$/,
  de: /^\+49(3023125|6990009)\d{3}$/,
  fr: /^\+3319900\d{4}$/,
  au: /^\+61(25550|37010)\d{4}$/,
}

describe('demo numbers', () => {
  it.each(Object.keys(FICTITIOUS) as Region[])('are fictitious E.164 numbers: %s', (region) => {
    const random = new SeededRandom(region)
    for (let index = 0; index < 200; index++) expect(drawNumber(random, region)).toMatch(FICTITIOUS[region])
  })
})
