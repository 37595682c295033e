import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import ts from 'typescript'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { SignatureVerifier, type VerifierOptions } from '../../../evidence/identity/verification-worker.js'
import { CLAIMS, KEY, tokenOf } from './tokens.js'

const folder = mkdtempSync(join(tmpdir(), 'trunkscope-thread-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The thread as it stands, without its types, and one that dies of a word. */
const source = readFileSync(
  fileURLToPath(new URL('../../../evidence/identity/signature-thread.ts', import.meta.url)),
  'utf8',
)
const { outputText } = ts.transpileModule(source, {
  compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
})
writeFileSync(join(folder, 'thread.mjs'), outputText)
writeFileSync(
  join(folder, 'mortal.mjs'),
  `import { parentPort as port } from 'node:worker_threads'
port.on('message', ({ jobs }) => { if (jobs.some(({ signed }) => signed === 'die')) process.exit(1) })
${outputText}`,
)

const open: SignatureVerifier[] = []
afterEach(async () => {
  for (const verifier of open.splice(0)) await verifier.close()
})
let started = 0
function verifierWith(options: VerifierOptions = {}, thread = 'thread.mjs'): SignatureVerifier {
  const start = () => {
    started++
    return new Worker(join(folder, thread))
  }
  const verifier = new SignatureVerifier({ start, ...options })
  open.push(verifier)
  return verifier
}

function jobOf(number: number, isValid = true) {
  const token = tokenOf({}, { ...CLAIMS, number })
  const signed = token.slice(0, token.lastIndexOf('.'))
  const signature = Buffer.from(token.slice(token.lastIndexOf('.') + 1), 'base64url')
  if (!isValid) signature[5]! ^= 1
  return { key: KEY, signed, signature }
}

describe('the thread that checks signatures', () => {
  test('tells valid from invalid, and a key that is none', async () => {
    const { verify } = verifierWith()
    const answers = await Promise.all([
      verify(jobOf(1)),
      verify(jobOf(2, false)),
      verify({ ...jobOf(3), key: 'AAAA' }),
    ])
    expect(answers).toEqual(['valid', 'invalid', 'failed'])
  })

  test('who asks for more than the queue holds waits, and everybody is answered', async () => {
    const verifier = verifierWith({ queueMax: 8 })
    const jobs = Array.from({ length: 100 }, (_, index) => jobOf(index, index % 3 !== 0))
    let most = 0
    const answers = Promise.all(
      jobs.map(async (job) => {
        const answer = await verifier.verify(job)
        most = Math.max(most, verifier.held)
        return answer
      }),
    )
    expect(verifier.held).toBe(8)
    expect(await answers).toEqual(jobs.map((_, index) => (index % 3 === 0 ? 'invalid' : 'valid')))
    expect(most).toBeLessThanOrEqual(8)
    expect(verifier.held).toBe(0)
  })

  test('the same question many times over is asked once, also by those that waited', async () => {
    const verifier = verifierWith({ queueMax: 2 })
    const jobs = [1, 2, 3].map((number) => jobOf(number))
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, index) => verifier.verify(jobs[index % 3]!)),
    )
    expect(new Set(answers)).toEqual(new Set(['valid']))
    expect(verifier.cached).toBe(3)
  })

  test('answers are kept, the least used forgotten first', async () => {
    const verifier = verifierWith({ cacheMax: 2 })
    for (const number of [1, 2, 3]) await verifier.verify(jobOf(number))
    expect(verifier.cached).toBe(2)
  })

  test('a thread that dies is replaced: only the job that kills it fails', async () => {
    started = 0
    const verifier = verifierWith({}, 'mortal.mjs')
    const deadly = { ...jobOf(0), signed: 'die' }
    const answers = await Promise.all([
      verifier.verify(jobOf(1)),
      verifier.verify(deadly),
      verifier.verify(jobOf(2, false)),
    ])
    expect(answers).toEqual(['valid', 'failed', 'invalid'])
    expect(started).toBeGreaterThan(1)
    // It is asked again the next time, and others still get their answer.
    const again = await Promise.all([
      verifier.verify(deadly),
      ...[3, 4, 5].map((number) => verifier.verify(jobOf(number))),
    ])
    expect(again).toEqual(['failed', 'valid', 'valid', 'valid'])
    expect(verifier.cached).toBe(5)
  })

  test('where no thread lives, jobs fail instead of waiting for ever', async () => {
    writeFileSync(join(folder, 'stillborn.mjs'), 'process.exit(1)')
    const { verify } = verifierWith({ queueMax: 4 }, 'stillborn.mjs')
    const answers = await Promise.all(Array.from({ length: 10 }, (_, index) => verify(jobOf(index))))
    expect(new Set(answers)).toEqual(new Set(['failed']))
  })

  test('close lets what was asked end, and refuses what is asked later', async () => {
    const verifier = verifierWith()
    const asked = Promise.all([1, 2, 3].map((number) => verifier.verify(jobOf(number))))
    await verifier.close()
    expect(await asked).toEqual(['valid', 'valid', 'valid'])
    await expect(verifier.verify(jobOf(4))).rejects.toMatchObject({ code: 'TRUNKSCOPE_EVIDENCE_CLOSED' })
  })
})
