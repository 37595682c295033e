// tidy: tested by test/evidence/identity/verification-worker.test.ts
/**
 * The thread that checks signatures: ES256 (RFC 7518 §3.4) over bytes with a key, and nothing else. It imports nothing of
 * ours, so that it starts in milliseconds.
 *
 * Takes    batches of a number and jobs: key (SubjectPublicKeyInfo as base64), the text that was signed, the 64 bytes.
 * Returns  for each batch its number and a byte a job: 0 invalid, 1 valid, 2 the key cannot be used.
 */
import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { parentPort } from 'node:worker_threads'

interface Job {
  key: string
  signed: string
  signature: Uint8Array
}

/** A few hundred certificates sign nearly all calls of a country. */
const KEYS_MAX = 1_024
const keys = new Map<string, KeyObject>()

parentPort?.on('message', ({ batch, jobs }: { batch: number; jobs: Job[] }) => {
  const results = new Uint8Array(jobs.length)
  for (const [index, job] of jobs.entries()) results[index] = resultOf(job)
  parentPort?.postMessage({ batch, results })
})

function resultOf({ key, signed, signature }: Job): 0 | 1 | 2 {
  try {
    const dsaEncoding = 'ieee-p1363'
    return verify('sha256', Buffer.from(signed, 'latin1'), { key: keyOf(key), dsaEncoding }, signature)
      ? 1
      : 0
  } catch {
    return 2 // The caller counts it.
  }
}

function keyOf(text: string): KeyObject {
  const known = keys.get(text)
  if (known !== undefined) return known
  const key = createPublicKey({ key: Buffer.from(text, 'base64'), format: 'der', type: 'spki' })
  if (keys.size >= KEYS_MAX) keys.clear()
  keys.set(text, key)
  return key
}
