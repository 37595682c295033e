/** The real capture in a folder of its own, as `trunkscope replay` leaves it, and the api over it on a socket. */
import { createHash } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { vi } from 'vitest'
import { buildApp } from '../../api/app.js'
import type { ApiDeps } from '../../api/deps.js'
import { type Engine, openEmbeddedEngine } from '../../bin/connect/clickhouse.js'
import { readConfig } from '../../bin/connect/config.js'
import { runReplay } from '../../bin/run/replay.js'
import { liveStatus } from '../api/support.js'
import { rowsOf } from './engine.js'
import { CAPTURE, CAPTURE_CONFIG } from './real-capture.js'

export const config = readConfig(CAPTURE_CONFIG, {}, () => {})

export async function replayCapture(dataDir: string): Promise<void> {
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
  await runReplay({
    files: [CAPTURE],
    config,
    configPath: undefined,
    into: { kind: 'folder', dataDir },
    json: true,
    pcapAgent: { agentId: 0, agentName: 'pcap' },
  })
  write.mockRestore()
}

/** From the first minute of a carrier's attempts to the end of the last. */
export async function spanOfCarrier(
  dataDir: string,
  carrier: string,
): Promise<{ fromS: number; toS: number }> {
  const engine = openEmbeddedEngine(dataDir)
  const [row] = await rowsOf<{ from_s: number; to_s: number }>(
    engine.writer,
    `SELECT toUInt32(min(minute)) AS from_s, toUInt32(max(minute)) + 60 AS to_s FROM call_attempts WHERE carrier = '${carrier}'`,
  )
  await engine.close()
  return { fromS: Number(row!.from_s), toS: Number(row!.to_s) }
}

export function tokenOf(id: string, secret: string, role: 'viewer' | 'investigator' | 'admin') {
  return { id, sha256: createHash('sha256').update(secret).digest('hex'), role }
}

/** @returns its address, and what closes it */
export async function serve(
  engine: Engine,
  deps: Pick<ApiDeps, 'tokens' | 'scheduling'>,
): Promise<{ url: string; close: () => Promise<void> }> {
  const app = await buildApp({
    readers: engine.readers,
    config,
    demo: false,
    live: () => liveStatus(),
    metrics: async () => '',
    ...deps,
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    close: async () => {
      await app.close()
    },
  }
}
