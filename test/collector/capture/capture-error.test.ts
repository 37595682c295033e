import { describe, expect, test } from 'vitest'
import { bindError } from '../../../collector/capture/capture-error.js'

describe('bind error', () => {
  test('names the address in the form of its family, and the option to change', () => {
    const inUse = Object.assign(new Error('x'), { code: 'EADDRINUSE' })
    const error = bindError(inUse, 'UDP', '::1', 9060, '--hep-udp')
    expect(error.code).toBe('TRUNKSCOPE_CAPTURE_PORT_IN_USE')
    expect(error.message).toContain('UDP [::1]:9060')
    expect(error.message).toContain('--hep-udp')
    expect(error.cause).toBe(inUse)
    const denied = Object.assign(new Error('x'), { code: 'EACCES' })
    expect(bindError(denied, 'TCP', '0.0.0.0', 80, '--tcp').code).toBe('TRUNKSCOPE_CAPTURE_BIND_FAILED')
  })
})
