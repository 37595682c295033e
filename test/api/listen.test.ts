import { createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { listen } from '../../api/listen.js'
import { TestStore } from './support.js'

let store: TestStore
beforeAll(async () => {
  store = await TestStore.open()
})
afterAll(() => store.close())

describe('listen', () => {
  it('tells the address as bound, and answers there', async () => {
    const listening = await listen(await store.app(), { host: '127.0.0.1', port: 0 })
    expect(listening.address).toMatch(/^127\.0\.0\.1:\d+$/)
    const response = await fetch(`http://${listening.address}/healthz`)
    expect(await response.json()).toEqual({ status: 'ok' })
    await listening.close()
    await expect(fetch(`http://${listening.address}/healthz`)).rejects.toThrow()
  })

  it('a taken port says which option changes it', async () => {
    const other = createServer()
    const port = await new Promise<number>((resolve) =>
      other.listen(0, '127.0.0.1', () => resolve((other.address() as { port: number }).port)),
    )
    const app = await store.app()
    await expect(listen(app, { host: '127.0.0.1', port })).rejects.toMatchObject({
      code: 'TRUNKSCOPE_API_PORT_IN_USE',
      message: expect.stringContaining('--http'),
    })
    await app.close()
    await new Promise((resolve) => other.close(resolve))
  })

  it('an address of another machine cannot be listened on', async () => {
    const app = await store.app()
    await expect(listen(app, { host: '192.0.2.1', port: 0 })).rejects.toMatchObject({
      code: 'TRUNKSCOPE_API_CANNOT_LISTEN',
    })
    await app.close()
  })
})
