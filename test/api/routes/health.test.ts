import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { liveStatus, TestStore } from '../support.js'

let store: TestStore
beforeAll(async () => {
  store = await TestStore.open()
})
afterAll(() => store.close())

describe('health', () => {
  it('/readyz says why it is not ready, /healthz that the process runs', async () => {
    let live = liveStatus({ ready: false, problem: 'reading back 3 MiB of spool' })
    const app = await store.app({ live: () => live })
    const starting = await app.inject({ url: '/readyz' })
    expect(starting.statusCode).toBe(503)
    expect(starting.headers['retry-after']).toBe('2')
    expect(starting.json()).toMatchObject({
      code: 'TRUNKSCOPE_API_STARTING',
      detail: 'reading back 3 MiB of spool',
    })
    expect((await app.inject({ url: '/healthz' })).json()).toEqual({ status: 'ok' })
    live = liveStatus()
    expect((await app.inject({ url: '/readyz' })).json()).toEqual({ status: 'ready' })
    await app.close()
  })

  it('/metrics is the text of the process, and then of the agents', async () => {
    const app = await store.app({
      metrics: async () => 'trunkscope_capture_frames_total{transport="udp"} 7\n',
    })
    const response = await app.inject({ url: '/metrics' })
    expect(response.headers['content-type']).toContain('text/plain; version=0.0.4')
    expect(response.body).toMatch(/^trunkscope_capture_frames_total\{transport="udp"\} 7\n/)
    expect(response.body).toContain('trunkscope_tap_agents{verdict="blind"} 0\n')
    await app.close()
  })
})
