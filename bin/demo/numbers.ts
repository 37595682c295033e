/**
 * Telephone numbers that belong to nobody: the ranges numbering authorities keep for fiction and drama.
 *
 * Takes    a region, and a stream of random numbers.
 * Returns  an E.164 number with its '+'.
 * Throws   nothing.
 * Source   NANPA (NPA 555-0100..0199), Ofcom (drama numbers), Bundesnetzagentur (030 23125, 069 90009),
 *          ARCEP (01 99 00), ACMA (02 5550, 03 7010).
 */
import type { SeededRandom } from './seeded-random.js'

export type Region = 'us' | 'uk' | 'de' | 'fr' | 'au'

/** What stands before the digits that vary, and how many of those there are. */
const RANGES: Record<Region, readonly (readonly [prefix: string, digits: number])[]> = {
  us: ['202', '206', '214', '303', '312', '404', '415', '512', '617', '702', '713', '917'].map(
    (areaCode) => [`+1${areaCode}55501`, 2] as const,
  ),
  uk: [
    ['+44207946', 4],
    ['+441134960', 3],
    ['+441614960', 3],
    ['+447700900', 3],
  ],
  de: [
    ['+493023125', 3],
    ['+496990009', 3],
  ],
  fr: [['+3319900', 4]],
  au: [
    ['+6125550', 4],
    ['+6137010', 4],
  ],
}

export function drawNumber(random: SeededRandom, region: Region): string {
  const [prefix, digits] = random.pick(RANGES[region])
  return prefix + String(random.integer(10 ** digits)).padStart(digits, '0')
}
