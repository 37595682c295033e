import { describe, expect, test } from 'vitest'
import type { BusBatch } from '../../collector/bus/bus.js'
import { CaptureRole } from '../../collector/capture-role.js'
import type { ReceivedFrame } from '../../schemas/hep-frame.js'

const frame = (receivedAtUs: number): ReceivedFrame => ({
  receivedAtUs,
  transport: 'udp',
  peerAddress: '192.0.2.7',
  bytes: Buffer.from('HEP3'),
  position: 0,
})

const batch = (position: number, frames: ReceivedFrame[], more: Partial<BusBatch> = {}): BusBatch => ({
  partition: 0,
  basePartition: 0,
  frames,
  position,
  nextPosition: position + frames.length,
  receivedUntilUs: 99,
  ...more,
})

/** A spool that delivers these batches, and says what was committed of it. */
class Spool {
  readonly commits: number[] = []
  rewinds = 0
  constructor(readonly batches: BusBatch[]) {}
  async subscribe(onBatch: (batch: BusBatch) => Promise<void>): Promise<void> {
    for (const one of this.batches) await onBatch(one)
  }
  async commit(_: number, position: number): Promise<void> {
    this.commits.push(position)
  }
  async rewind(): Promise<void> {
    this.rewinds++
  }
}

describe('capture role', () => {
  test('commits the spool only after the broker has the frames, and passes on how far time has gone', async () => {
    const spool = new Spool([batch(0, [frame(1), frame(2)]), batch(2, [])])
    const seen: [number, number, number][] = []
    const role = new CaptureRole({
      spool,
      broker: {
        publish: async (frames, receivedUntilUs) =>
          void seen.push([frames.length, receivedUntilUs, spool.commits.length]),
      },
      log: () => {},
    })
    await role.run()
    expect(seen).toEqual([
      [2, 99, 0],
      [0, 99, 1],
    ])
    expect(spool.commits).toEqual([2])
    expect(role.status).toMatchObject({ framesPublished: 2, publishedUntilUs: 2, problem: '' })
  })

  test('a broker that refuses is tried again until it takes the frames, and says why meanwhile', async () => {
    const spool = new Spool([batch(0, [frame(1)])])
    const lines: string[] = []
    const problems: string[] = []
    let failures = 2
    const role: CaptureRole = new CaptureRole({
      spool,
      broker: {
        publish: async () => {
          problems.push(role.status.problem)
          if (failures-- > 0) throw new Error('no leader\nand more')
        },
      },
      log: (_, sentence) => void lines.push(sentence),
    })
    await role.run()
    expect(problems).toEqual([
      '',
      'the broker takes nothing: no leader',
      'the broker takes nothing: no leader',
    ])
    expect(lines).toEqual([
      'the broker takes nothing: no leader; the spool keeps it, trying again',
      'the broker takes frames again',
    ])
    expect(spool.commits).toEqual([1])
  })

  test('when it has to stop it waits for no broker, and what was not taken stays in the spool', async () => {
    const spool = new Spool([batch(0, [frame(1)])])
    const role: CaptureRole = new CaptureRole({
      spool,
      broker: {
        publish: async () => {
          role.stop()
          throw new Error('gone')
        },
      },
      log: () => {},
    })
    await role.run()
    expect(spool.commits).toEqual([])
  })

  test('a broker that lost its log gets again what the spool still holds, in place of a commit', async () => {
    const spool = new Spool([batch(0, [frame(1)]), batch(1, [frame(2)])])
    const lines: string[] = []
    let published = 0
    const role: CaptureRole = new CaptureRole({
      spool,
      broker: {
        publish: async () => {
          if (++published === 1) role.onLogLost('topic t, partition 3: offset 7 after 900')
        },
      },
      log: (_, sentence) => void lines.push(sentence),
    })
    await role.run()
    expect(spool.rewinds).toBe(1)
    expect(spool.commits).toEqual([2])
    expect(lines).toEqual([
      'topic t, partition 3: offset 7 after 900; what the spool still holds is sent again',
    ])
  })

  test('what is damaged in the spool is told and counted', async () => {
    const damaged = [{ reason: 'spool_damaged' as const, bytes: 512 }]
    const spool = new Spool([batch(0, [], { nextPosition: 512, damaged })])
    const lines: string[] = []
    const role = new CaptureRole({
      spool,
      broker: { publish: async () => {} },
      log: (_, sentence) => void lines.push(sentence),
    })
    await role.run()
    expect(role.status.damagedBytes).toBe(512)
    expect(lines).toEqual(['the spool is damaged: 512 bytes could not be read and were skipped'])
    expect(spool.commits).toEqual([512])
  })
})
