/**
 * The evidence passes in a running process: the real capture goes in as HEP, and what takes more than one attempt, or a
 * certificate, stands beside the attempts a minute later.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { SignersAnswer } from '../../api/identity/signers.js'
import { sendUdp } from '../../bin/demo/send.js'
import { CollectorProcess } from '../support/collector-process.js'
import { CAPTURE_CONFIG, captureFrames, movedTo } from '../support/real-capture.js'

const X5U = 'https://cert.example.org/shaken.pem'
const CERTIFICATE = new URL('../fixtures/hep/shaken-709J.pem', import.meta.url)

const minute = (atS: number) => Math.floor(atS / 60) * 60

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trunkscope-evidence-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

describe('evidence beside the packets', () => {
  test('every signature of the real capture verifies, and its signer is SPC 709J', async () => {
    const certificates = join(folder, 'certificates')
    mkdirSync(certificates)
    copyFileSync(CERTIFICATE, join(certificates, '709J.pem'))
    writeFileSync(join(certificates, 'index.csv'), `x5u,file\n${X5U},709J.pem\n`)
    const { sites, carriers, customers } = JSON.parse(readFileSync(CAPTURE_CONFIG, 'utf8'))
    const config = join(folder, 'trunkscope.json')
    writeFileSync(config, JSON.stringify({ sites, carriers, customers, identity: { certificates } }))
    const { frames, firstS, lastS } = movedTo(captureFrames(), Math.floor(Date.now() / 1_000) - 90)
    const collector = await CollectorProcess.start({ dataDir: join(folder, 'data'), config })
    try {
      const timed = frames.map((bytes) => ({ atUs: 0, bytes }))
      await sendUdp(timed, { transport: 'udp', host: '127.0.0.1', port: collector.hepUdpPort })
      await collector.accepted(frames.length)
      await collector.settled()
      const signers = async () => {
        const path = `/v1/identity/signers?from=${minute(firstS)}&to=${minute(lastS) + 60}`
        const answer = await collector.json<SignersAnswer>(path)
        return answer.signers.map(({ carrier, spc, tokens, claimed, signed }) => ({
          ...{ carrier, spc, tokens, claimed, valid: signed.valid, invalid: signed.invalid },
        }))
      }
      await expect.poll(signers, { timeout: 150_000, interval: 500 }).toEqual([
        // The customers' legs carry the same tokens.
        { carrier: '', spc: '709J', tokens: 61, claimed: { A: 24, B: 24, C: 13 }, valid: 61, invalid: 0 },
        { carrier: 'alpha', spc: '709J', tokens: 33, claimed: { A: 24, B: 9, C: 0 }, valid: 33, invalid: 0 },
        { carrier: 'bravo', spc: '709J', tokens: 28, claimed: { A: 0, B: 15, C: 13 }, valid: 28, invalid: 0 },
      ])
    } finally {
      await collector.stop()
    }
  }, 200_000)
})
