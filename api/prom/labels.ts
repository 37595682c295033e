/**
 * Label sets. A label that is missing and one that is "" are the same thing, so no set holds an empty value.
 *
 * Source  Prometheus, model/labels; the name of the metric is the label `__name__`.
 */
export type Labels = Readonly<Record<string, string>>

export const METRIC_NAME = '__name__'

/** Equal for equal sets, whatever their order; readable, because error messages show it. */
export function labelsKey(labels: Labels): string {
  let text = ''
  for (const name of Object.keys(labels).sort()) {
    if (labels[name] !== '') text += `${text === '' ? '' : ', '}${name}=${JSON.stringify(labels[name])}`
  }
  return `{${text}}`
}

export function keepLabels(labels: Labels, names: ReadonlySet<string>): Labels {
  return chosen(labels, (name) => names.has(name))
}

export function dropLabels(labels: Labels, names: ReadonlySet<string>): Labels {
  return chosen(labels, (name) => !names.has(name))
}

const ONLY_THE_NAME: ReadonlySet<string> = new Set([METRIC_NAME])

export function dropName(labels: Labels): Labels {
  return METRIC_NAME in labels ? dropLabels(labels, ONLY_THE_NAME) : labels
}

function chosen(labels: Labels, isChosen: (name: string) => boolean): Labels {
  const kept: Record<string, string> = {}
  for (const name of Object.keys(labels)) if (isChosen(name)) kept[name] = labels[name]!
  return kept
}
