/*
 * hep-js as a peer to measure and compare with, in a process of its own.
 *
 * hep-js is licensed GPL-2.0. It is a development dependency only: nothing of Trunkscope imports it, and no code of it
 * is copied. This script is the one place that loads it. It is run as a separate child process and talks with the
 * test or bench that started it over stdio alone, one JSON object a line:
 *
 *   in   {"frames": ["<base64>", …]}                  out  {"decoded": [<what hep-js gives>, …]}
 *   in   {"frames": ["<base64>", …], "rounds": 100}   out  {"nsPerFrame": <CPU time, mean over all>}
 */
const readline = require('node:readline')
const hep = require('hep-js')

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const { frames, rounds } = JSON.parse(line)
  const buffers = frames.map((text) => Buffer.from(text, 'base64'))
  const answer = rounds === undefined ? { decoded: buffers.map(decode) } : { nsPerFrame: time(buffers, rounds) }
  process.stdout.write(`${JSON.stringify(answer)}\n`)
})

function decode(buffer) {
  return hep.decapsulate(buffer) ?? false
}

function time(buffers, rounds) {
  const started = process.cpuUsage()
  for (let round = 0; round < rounds; round++) for (const buffer of buffers) hep.decapsulate(buffer)
  const { user, system } = process.cpuUsage(started)
  return ((user + system) * 1_000) / (rounds * buffers.length)
}
