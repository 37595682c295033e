/**
 * The script at /page.js: while somebody looks, the page is fetched again and what changed is replaced, section by section.
 * The first section that begins in the window stays where it is, and so does what was scrolled within it. It waits
 * while a text is selected, something is opened or has the focus, and there is a button to stop it (WCAG 2.2, 2.2.2).
 * Without the script the page works and is reloaded by hand.
 */
export const REFRESH_S = 15

export const SCRIPT = `'use strict'
const main = document.querySelector('main[data-refresh]')
const where = document.querySelector('.where')
let isPaused = false
const isBusy = () =>
  isPaused ||
  document.hidden ||
  String(document.getSelection()) !== '' ||
  main.querySelector('details[open]') !== null ||
  (document.activeElement !== null && document.activeElement !== main && main.contains(document.activeElement))
function replaceChanged(next) {
  const tops = [...main.children].map((child) => child.getBoundingClientRect().top)
  const shown = tops.findIndex((top) => top >= 0 && top < innerHeight)
  const held = shown < 0 ? tops.findLastIndex((top) => top < 0) : shown
  const aside = [...main.querySelectorAll('.scroll')].map((box) => box.scrollLeft)
  const [old, fresh] = [[...main.children], [...next.children]]
  if (old.length !== fresh.length) main.replaceChildren(...fresh)
  else old.forEach((child, at) => child.isEqualNode(fresh[at]) || child.replaceWith(fresh[at]))
  main.querySelectorAll('.scroll').forEach((box, at) => (box.scrollLeft = aside[at] ?? 0))
  if (scrollY > 0 && held >= 0 && held < main.children.length) {
    scrollBy(0, main.children[held].getBoundingClientRect().top - tops[held])
  }
}
async function refresh() {
  if (isBusy()) return
  try {
    const answer = await fetch(location.href, { headers: { accept: 'text/html' } })
    if (!answer.ok) throw new Error(String(answer.status))
    const next = new DOMParser().parseFromString(await answer.text(), 'text/html')
    if (isBusy()) return
    replaceChanged(next.querySelector('main'))
    where.replaceChildren(...next.querySelector('.where').childNodes)
  } catch {
    where.textContent = 'Trunkscope does not answer; what stands below is old'
  }
}
if (main !== null) {
  const button = document.createElement('button')
  button.type = 'button'
  button.className = 'pause'
  const say = () => (button.textContent = isPaused ? 'Refresh again' : 'Stop refreshing')
  button.addEventListener('click', () => {
    isPaused = !isPaused
    say()
    refresh()
  })
  say()
  document.querySelector('.ranges').append(button)
  setInterval(refresh, Number(main.dataset.refresh) * 1000)
}
`
