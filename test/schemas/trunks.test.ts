import fc from 'fast-check'
import { expect, test } from 'vitest'
import { configSchema } from '../../schemas/config.js'
import { namedPorts, readTrunkId, trunkAddress, trunkId } from '../../schemas/trunks.js'

test('an id of a trunk reads back as the trunk (property)', () => {
  const trunk = fc.record({
    carrier: fc.stringMatching(/^[a-z0-9][a-z0-9_-]{0,20}$/),
    site: fc.constantFrom('', 'dal', 'fra-2'),
    farAddress: fc.oneof(fc.ipV4(), fc.ipV6(), fc.constant('*')),
    farPort: fc.integer({ min: 0, max: 65_535 }),
  })
  fc.assert(
    fc.property(trunk, (one) => {
      expect(readTrunkId(trunkId(one))).toEqual(one)
    }),
  )
})

test('any text is a trunk or none, and never an exception', () => {
  for (const text of [
    '',
    '~',
    'a',
    'a~b',
    '~b~c',
    'a~b~~5060',
    'a~b~c~0',
    'a~b~c~x',
    'a~b~c~123456',
    'a~b~c~1~2',
  ])
    expect(readTrunkId(text)).toBeUndefined()
  expect(readTrunkId('a~~c')).toEqual({ carrier: 'a', site: '', farAddress: 'c', farPort: 0 })
})

test('addresses are shown with their port where it is named', () => {
  expect(trunkAddress({ farAddress: '198.51.100.10', farPort: 0 })).toBe('198.51.100.10')
  expect(trunkAddress({ farAddress: '2001:db8::1', farPort: 5061 })).toBe('[2001:db8::1]:5061')
  expect(trunkAddress({ farAddress: '*', farPort: 0 })).toBe('other addresses')
})

test('the ports that peers name are those of their carrier alone', () => {
  const { carriers } = configSchema.parse({
    carriers: [
      { id: 'alpha', peers: ['198.51.100.10', { cidr: '198.51.100.11', port: 5080 }] },
      { id: 'beta', peers: [{ cidr: '198.51.100.12', port: 5060 }] },
    ],
  })
  expect([...namedPorts({ carriers })]).toEqual(['alpha:5080', 'beta:5060'])
})
