/**
 * The script at /page.js: while somebody looks, the page is fetched again and its content replaced, so that the scroll
 * position stays. It waits while a text is selected, something is opened or a field is used. Without it the page works
 * and is reloaded by hand.
 */
export const REFRESH_S = 15

export const SCRIPT = `'use strict'
const main = document.querySelector('main[data-refresh]')
const isBusy = () =>
  document.hidden ||
  String(document.getSelection()) !== '' ||
  main.querySelector('details[open]') !== null ||
  (document.activeElement !== null && main.contains(document.activeElement))
async function refresh() {
  if (isBusy()) return
  try {
    const answer = await fetch(location.href, { headers: { accept: 'text/html' } })
    if (!answer.ok) throw new Error(String(answer.status))
    const next = new DOMParser().parseFromString(await answer.text(), 'text/html')
    if (isBusy()) return
    main.replaceChildren(...next.querySelector('main').childNodes)
    document.querySelector('.where').replaceChildren(...next.querySelector('.where').childNodes)
  } catch {
    document.querySelector('.where').textContent = 'Trunkscope does not answer; what stands below is old'
  }
}
if (main !== null) setInterval(refresh, Number(main.dataset.refresh) * 1000)
`
