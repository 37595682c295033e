/**
 * The real capture to pcap and back (issue 6, "What it must show" 3): what the api exports, `tshark` reads as the same calls
 * with the same response codes, and `replay` gives the same numbers.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import type { KpiAnswer } from '../../api/kpi/answer.js'
import { decodeHep3 } from '../../sip/hep3.js'
import { PcapMessages } from '../../sip/pcap-messages.js'
import { readSip } from '../../sip/sip-message.js'
import { CollectorProcess, TRUNKSCOPE } from '../support/collector-process.js'
import { needs } from '../support/outside-programs.js'
import { CAPTURE, CAPTURE_CONFIG, captureFrames, expectTruth } from '../support/real-capture.js'

const test = needs('tshark', 'mergecap', 'editcap')

let folder: string
/** Every call of the capture as the api exports it, merged by mergecap. */
let merged: string
const exported: Buffer[] = []

function replayed(file: string, ...more: string[]): { answer: KpiAnswer; said: string } {
  const data = mkdtempSync(join(folder, 'replayed-'))
  const said = join(folder, 'said.txt')
  const text = execFileSync(
    '/bin/sh',
    [
      '-c',
      'said=$1; shift; exec "$@" 2>"$said"',
      'sh',
      said,
      process.execPath,
      TRUNKSCOPE,
      'replay',
      file,
    ].concat(['--config', CAPTURE_CONFIG, '--data', data, '--json', ...more]),
  )
  return { answer: JSON.parse(text.toString()) as KpiAnswer, said: readFileSync(said, 'utf8') }
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'trunkscope-pcap-'))
  const data = join(folder, 'data')
  execFileSync(process.execPath, [
    ...[TRUNKSCOPE, 'replay', CAPTURE, '--config', CAPTURE_CONFIG, '--data', data, '--json'],
  ])
  const collector = await CollectorProcess.start({ dataDir: data, config: CAPTURE_CONFIG })
  const files: string[] = []
  for (const carrier of ['alpha', 'bravo']) {
    const span = 'from=2026-11-20T00:00:00Z&to=2026-11-21T00:00:00Z&limit=500'
    const { attempts } = await collector.json<{ attempts: { attempt_id: string }[] }>(
      `/v1/attempts?carrier=${carrier}&${span}`,
    )
    for (const { attempt_id } of attempts) {
      const response = await fetch(`${collector.http}/v1/attempts/${attempt_id}/pcap`)
      expect(response.headers.get('content-type')).toBe('application/vnd.tcpdump.pcap')
      const file = join(folder, `${attempt_id}.pcap`)
      exported.push(Buffer.from(await response.arrayBuffer()))
      writeFileSync(file, exported.at(-1)!)
      files.push(file)
    }
  }
  await collector.stop()
  expect(files).toHaveLength(61)
  merged = join(folder, 'merged.pcap')
  execFileSync('mergecap', ['-F', 'pcap', '-w', merged, ...files])
}, 120_000)
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

/** Time, ends and what kind, of every SIP message, sorted. */
const TSHARK_FIELDS = [
  'frame.time_epoch',
  'ip.src',
  'ip.dst',
  'udp.srcport',
  'udp.dstport',
  'sip.Call-ID',
].concat([...['sip.Method', 'sip.Status-Code', 'sip.CSeq']])

function sharkLines(file: string): string[] {
  const fields = TSHARK_FIELDS.flatMap((field) => ['-e', field])
  const options = ['-o', 'udp.check_checksum:TRUE', '-o', 'ip.check_checksum:TRUE', '-t', 'u']
  return execFileSync('tshark', ['-r', file, ...options, '-Y', 'sip', '-T', 'fields', ...fields], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
    .toString()
    .trim()
    .split('\n')
    .sort()
}

function lineOf(frame: Buffer): string {
  const decoded = decodeHep3(frame)
  if ('reason' in decoded) throw new Error(decoded.reason)
  const { method, statusCode, callId, cseqNumber, cseqMethod } = readSip(decoded.payload)
  const time = `${Math.floor(decoded.capturedAtUs / 1e6)}.${String(decoded.capturedAtUs % 1e6).padStart(6, '0')}000`
  return [
    ...[time, decoded.sourceAddress, decoded.destinationAddress, decoded.sourcePort, decoded.destinationPort],
    ...[callId, method, statusCode || '', `${cseqNumber} ${cseqMethod}`],
  ].join('\t')
}

describe('the real capture as pcap', () => {
  test('tshark finds the same messages, calls and response codes, and no wrong checksum', () => {
    const wanted = captureFrames().map(lineOf).sort()
    expect(wanted).toHaveLength(844)
    expect(sharkLines(merged)).toEqual(wanted)
    const wrong = execFileSync(
      'tshark',
      ['-r', merged, '-o', 'udp.check_checksum:TRUE', '-o', 'ip.check_checksum:TRUE', '-Y'].concat(
        'udp.checksum.status != 1 || ip.checksum.status != 1 || _ws.malformed',
      ),
      { stdio: ['ignore', 'pipe', 'ignore'] },
    )
    expect(wrong.toString()).toBe('')
  })

  test('replay of it gives the numbers of the HEP capture, as pcap, as pcapng, and with nanoseconds', () => {
    for (const format of ['pcap', 'pcapng', 'nsecpcap']) {
      const file = join(folder, `again.${format}`)
      execFileSync('editcap', ['-F', format, merged, file])
      const { answer, said } = replayed(file)
      expectTruth(answer)
      expect(said).toContain('844 frames, 844 SIP messages stored; 844 packets of pcap')
    }
  }, 60_000)

  test('of a file that was cut, what is whole is replayed, and the cut is told', () => {
    const file = join(folder, 'cut.pcap')
    const whole = readFileSync(merged)
    writeFileSync(file, whole.subarray(0, Math.floor(whole.length / 2)))
    const { answer, said } = replayed(file, '--agent-id', '2001', '--agent-name', 'border')
    expect(said).toContain('the file ends in the middle of a packet (file_cut)')
    expect(answer.groups.reduce((sum, { attempts }) => sum + attempts, 0)).toBeGreaterThan(20)
  }, 60_000)

  test('an export reads back as the messages that were exported', () => {
    let messages = 0
    for (const bytes of exported) {
      const reader = new PcapMessages(() => messages++)
      reader.push(bytes)
      expect(reader.end()).toBe('')
      expect([...reader.unread]).toEqual([])
    }
    expect(messages).toBe(844)
  })
})
