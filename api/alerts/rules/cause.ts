/**
 * The likely cause of an alert, from who else is off at the same time: the carrier, the site, or we.
 *
 * Takes    what the alert is about, and each carrier at each site with its verdict in the alert's own measure.
 * Returns  a sentence, '' where nothing is off any more. Fine is only who has enough calls to be fine.
 * Throws   nothing.
 */
export interface JudgedCell {
  carrier: string
  site: string
  isBad: boolean
  /** Attempts (or measurements) that the verdict rests on. */
  n: number
}

/** Below this a neighbour that shows nothing proves nothing. */
export const COMPARED_MIN = 20

export function likelyCause(
  about: { carrier?: string | undefined; site?: string | undefined },
  all: readonly JudgedCell[],
): string {
  // Whoever is unknown is nobody's carrier: nothing follows from it.
  const cells = all.filter(({ carrier, n }) => n > 0 && carrier !== 'unknown')
  const offCells = cells.filter(({ isBad }) => isBad)
  const subjects =
    about.carrier === undefined
      ? namesOf(
          offCells.filter(({ site }) => about.site === undefined || site === about.site),
          'carrier',
        )
      : [about.carrier]
  const sites =
    about.site === undefined
      ? namesOf(
          offCells.filter(({ carrier }) => subjects.includes(carrier)),
          'site',
        )
      : [about.site]
  if (subjects.length === 0 || sites.length === 0) return ''
  const here = cells.filter(({ site }) => sites.includes(site))
  const off = namesOf(
    here.filter(({ isBad }) => isBad),
    'carrier',
  )
  const fine = namesOf(
    here.filter(({ n }) => n >= COMPARED_MIN),
    'carrier',
  ).filter((name) => !off.includes(name))
  const place = words(sites)
  const others = off.filter((name) => !subjects.includes(name))
  if (subjects.length > 1 || others.length > 0) {
    if (fine.length === 0) return `all carriers of ${place}: is it us?`
    return `${words([...new Set([...subjects, ...others])].sort())} at ${place}; ${words(fine)} ${fine.length === 1 ? 'is' : 'are'} fine there`
  }
  return oneCarrier(subjects[0]!, sites, cells, fine.length > 0)
}

function oneCarrier(
  carrier: string,
  sites: readonly string[],
  cells: readonly JudgedCell[],
  hasFine: boolean,
): string {
  const own = cells.filter((cell) => cell.carrier === carrier)
  const offSites = namesOf(
    own.filter(({ isBad }) => isBad),
    'site',
  )
  const ownSites = namesOf(own, 'site')
  const fineSites = namesOf(
    own.filter(({ isBad, n }) => !isBad && n >= COMPARED_MIN),
    'site',
  )
  const place = words(sites)
  const others = hasFine
    ? `the other carriers of ${place} are fine`
    : `too few calls of other carriers at ${place} to compare with`
  const everywhere = ownSites.length > 1 && ownSites.every((site) => offSites.includes(site))
  if (everywhere) return `${carrier} at all sites: ${others}`
  const elsewhere = fineSites.filter((site) => !sites.includes(site))
  return `${carrier} only: ${others}${elsewhere.length === 0 ? '' : `, and ${carrier} is fine at ${words(elsewhere)}`}`
}

function namesOf(cells: readonly JudgedCell[], key: 'carrier' | 'site'): string[] {
  return [...new Set(cells.map((cell) => cell[key]))].sort()
}

/** "a", "a and b", "a, b and c"; of many the first few. */
export function words(names: readonly string[]): string {
  const shown = names.length > 6 ? [...names.slice(0, 5), `${names.length - 5} more`] : names
  if (shown.length < 2) return shown[0] ?? ''
  return `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`
}
