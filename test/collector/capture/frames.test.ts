import { describe, expect, test } from 'vitest'
import { plainAddress } from '../../../collector/capture/frames.js'

describe('agent address', () => {
  test('an IPv4 agent on a socket for both families is named by its IPv4 address', () => {
    expect(plainAddress('::ffff:192.0.2.1')).toBe('192.0.2.1')
  })

  test.each(['192.0.2.1', '2001:db8::1', '::1', '::', '', 'fe80::1%eth0', '::ffff:0:1'])(
    '%s stays as it is',
    (address) => {
      expect(plainAddress(address)).toBe(address)
    },
  )
})
