import { InvalidArgumentError } from 'commander'
import { describe, expect, test } from 'vitest'
import { isOn, parseEndpoint, parseTarget } from '../../../bin/commands/options.js'

describe('HOST:PORT', () => {
  test.each([
    ['127.0.0.1:9060', '127.0.0.1', 9060],
    ['[::1]:9060', '::1', 9060],
    ['[2001:db8::1]:0', '2001:db8::1', 0],
    ['localhost:65535', 'localhost', 65_535],
    ['sbc-1.example.com:9060', 'sbc-1.example.com', 9060],
    ['0.0.0.0:80', '0.0.0.0', 80],
  ])('%s is read', (text, host, port) => {
    expect(parseEndpoint(text)).toEqual({ host, port })
  })

  test.each([
    ['9060', 'write 127.0.0.1:9060'],
    ['127.0.0.1', 'write 127.0.0.1:9060'],
    ['[::1]', 'write [::1]:9060'],
    ['::1', '[::1]:9060'],
    ['::', '[::]:9060'],
    [':9060', '0.0.0.0:9060'],
    ['*:9060', '0.0.0.0:9060'],
    ['127.0.0.1:', 'is no port'],
    ['127.0.0.1:65536', 'is no port'],
    ['127.0.0.1:http', 'is no port'],
    ['127.0.0.1:-1', 'is no port'],
    ['300.0.0.1:9060', 'neither an address'],
    ['[127.0.0.1]:9060', 'no IPv6 address'],
    ['udp://127.0.0.1:9060', 'No scheme'],
    ['a:b:9060', 'Write HOST:PORT'],
    ['-x:9060', 'neither an address'],
    ['', 'HOST:PORT'],
  ])('%j is refused with what to write', (text, words) => {
    expect(() => parseEndpoint(text)).toThrow(InvalidArgumentError)
    expect(() => parseEndpoint(text)).toThrow(words)
  })
})

describe('a target', () => {
  test('is a transport, a host and a port', () => {
    expect(parseTarget('udp://127.0.0.1:9060')).toEqual({ transport: 'udp', host: '127.0.0.1', port: 9060 })
    expect(parseTarget('tcp://[::1]:9060/')).toEqual({ transport: 'tcp', host: '::1', port: 9060 })
  })
})

describe('a variable that stands for a flag', () => {
  test('is on with 1, true, yes and on only', () => {
    for (const text of ['1', 'true', 'YES', 'on']) expect(isOn(text)).toBe(true)
    for (const text of ['0', 'false', '', 'no', undefined]) expect(isOn(text)).toBe(false)
  })
})
