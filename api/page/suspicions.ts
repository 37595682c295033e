/** What is suspected of an attempt, on its page: the rule, what was seen, and the messages that made it. */
import type { Arrow } from '../attempts/ladder.js'
import type { Suspicions } from '../early-media/suspicions.js'
import { type Html, html } from './html.js'
import { table } from './table.js'

type Message = Suspicions['list'][number]['messages'][number]

/** null: nothing is suspected, and the attempt was looked at with its messages. */
export function suspicionsSection(
  { list, looked_at, has_messages }: Suspicions,
  arrows: readonly Arrow[],
  attemptId: string,
): Html | null {
  if (list.length === 0) return null
  const own = arrows.filter(({ attempt_id }) => attempt_id === attemptId)
  return html`<section><div class="title"><h2 id="suspicions">Suspicions</h2> <p class="quiet">from signalling only, never a verdict${looked_at && !has_messages ? '; its messages were gone when the rules looked, so only those over the record speak' : ''}</p></div>
${table(
  'What is suspected of early media and answer',
  html`<th scope="col">Rule</th><th scope="col">Weight</th><th scope="col">What was seen</th>`,
  list.map(
    ({ code, name, severity, sentence, condition, is_baseline_only, messages }) =>
      html`<tr><th scope="row">${name}<br><small>${code}</small></th><td>${severity}</td><td>${sentence} <span class="nowrap">(${messages.map((message, at) => html`${at === 0 ? null : ', '}${messageLink(message, own)}`)})</span><br><small class="quiet">${condition}${is_baseline_only ? ' By itself it says nothing.' : ''}</small></td></tr>`,
  ),
  { look: 'cards why' },
)}</section>`
}

/** The arrow of that time on this leg. 18x stands for a message of which the record keeps the time alone. */
function messageLink({ what, at_us, at }: Message, own: readonly Arrow[]): Html {
  const kind = /^\d{3}$/.test(what) || /^[A-Z]+$/.test(what) ? what : '1'
  const arrow = own.find(({ captured_at_us, label }) => captured_at_us === at_us && label.startsWith(kind))
  const text = `${what} at ${at.slice(11, 23)}`
  return arrow === undefined ? html`${text}` : html`<a href="#m${arrow.number}">${text}</a>`
}
