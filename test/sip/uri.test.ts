import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  portabilityOf,
  readNameAddr,
  readParameters,
  readUri,
  splitValues,
  trunkGroupOf,
} from '../../sip/uri.js'

function uri(text: string): Record<string, unknown> {
  const { userParameters, parameters, ...parts } = readUri(text)
  return {
    ...parts,
    userParameters: Object.fromEntries(userParameters),
    parameters: Object.fromEntries(parameters),
  }
}

const NOTHING = { scheme: '', user: '', host: '', port: 0, userParameters: {}, parameters: {} }

describe('uri', () => {
  test('vector N: trunk group and context in the user part', () => {
    const text = 'sip:+16305550100;tgrp=TG-1;trunk-context=+1-630@isp.example.net;user=phone'
    expect(uri(text)).toEqual({
      scheme: 'sip',
      user: '+16305550100',
      host: 'isp.example.net',
      port: 0,
      userParameters: { tgrp: 'TG-1', 'trunk-context': '+1-630' },
      parameters: { user: 'phone' },
    })
    expect(trunkGroupOf(readUri(text))).toEqual({ group: 'TG-1', context: '+1-630' })
  })

  test('vector N: without trunk-context there is no trunk', () => {
    expect(trunkGroupOf(readUri('sip:+16305550100;tgrp=TG-1@isp.example.net;user=phone'))).toBeUndefined()
    expect(trunkGroupOf(readUri('sip:+16305550100;trunk-context=+1@isp.example.net'))).toBeUndefined()
  })

  test('a trunk group behind the host is not one (RFC 4904 §5)', () => {
    expect(trunkGroupOf(readUri('sip:+1630@isp.example.net;tgrp=TG-1;trunk-context=+1'))).toBeUndefined()
  })

  test('a tel URI has the same parameters', () => {
    const text = 'tel:+1-212-555-1212;tgrp=a;trunk-context=b.example'
    expect(uri(text)).toMatchObject({ scheme: 'tel', user: '+1-212-555-1212', host: '', parameters: {} })
    expect(trunkGroupOf(readUri(text))).toEqual({ group: 'a', context: 'b.example' })
  })

  test('npdi, rn and cic are read from the user part and from tel URIs, in any case (RFC 4694 §4)', () => {
    expect(portabilityOf(readUri('sip:+12155551212;npdi;rn=+1-215-555-0000@gw;user=phone'))).toEqual({
      npdi: true,
      rn: '+12155550000',
      rnContext: '',
      cic: '',
      cicContext: '',
    })
    expect(portabilityOf(readUri('TEL:+441632960083;NPDI;RN=16a32;Rn-Context=+44;CIC=+1-6789'))).toEqual({
      npdi: true,
      rn: '16A32',
      rnContext: '+44',
      cic: '+16789',
      cicContext: '',
    })
  })

  test('of two equal parameters the first counts', () => {
    expect(uri('sip:1;rn=2;RN=3@h')).toMatchObject({ userParameters: { rn: '2' } })
  })

  test.each([
    ['sip:alice@Example.COM', { user: 'alice', host: 'example.com' }],
    [
      'SIPS:alice:secret@example.com:5061;transport=TCP;lr?Subject=x',
      { scheme: 'sips', user: 'alice', port: 5061, parameters: { transport: 'TCP', lr: '' } },
    ],
    ['sip:1;npdi:secret@h', { user: '1', host: 'h', userParameters: { npdi: '' } }],
    ['sip:example.com', { user: '', host: 'example.com' }],
    ['sip:[2001:DB8::1]:5060;lr', { host: '2001:db8::1', port: 5060, parameters: { lr: '' } }],
    ['sip:u@[2001:db8::1', { user: 'u', host: '2001:db8::1' }],
    ['sip:%61%6c%zz%0@h', { user: 'al%zz%0', host: 'h' }],
    ['sip:user@realm@host;x=a@b', { user: 'user@realm', host: 'host', parameters: { x: 'a@b' } }],
    ['sip:h;%6C%72;n%61me=v%61lue%25%34%31', { parameters: { lr: '', name: 'value%41' } }],
    ['sip:u@h:70000', { host: 'h', port: 0 }],
    ['sip:u@h:5060abc', { host: 'h', port: 0 }],
    ['<sip:user@example.com>', { scheme: 'sip', user: 'user', host: 'example.com' }],
    ['tel:911', { scheme: 'tel', user: '911' }],
    ['urn:service:sos', { scheme: 'urn', user: 'service:sos' }],
    ['bob@10.0.0.1:5060', { scheme: '', user: 'bob', host: '10.0.0.1', port: 5060 }],
    ['10.0.0.1:5060', { scheme: '', host: '10.0.0.1', port: 5060 }],
    ['localhost:5060', { scheme: '', host: 'localhost', port: 5060 }],
    ['', NOTHING],
    [':', { scheme: '' }],
    ['sip:', { scheme: 'sip', host: '' }],
    ['sip:@', { scheme: 'sip', user: '', host: '' }],
  ])('%s is read', (text, parts) => {
    expect(uri(text)).toMatchObject(parts)
  })
})

describe('name-addr', () => {
  test.each([
    ['<sip:a@h>', '', 'sip:a@h', {}],
    ['"A. G. Bell" <sip:a@h;x=1>;tag=t;q=0.5', 'A. G. Bell', 'sip:a@h;x=1', { tag: 't', q: '0.5' }],
    ['"a \\"b\\" ;>,\\\\" <sip:a@h>', 'a "b" ;>,\\', 'sip:a@h', {}],
    ['Bell, Alexander <sip:a@h>;tag=43', 'Bell, Alexander', 'sip:a@h', { tag: '43' }],
    ['caller<sip:a@h>', 'caller', 'sip:a@h', {}],
    ['sip:a@h;tag=t', '', 'sip:a@h', { tag: 't' }],
    ['tel:+1212', '', 'tel:+1212', {}],
    ['"" < sip:a@h > ; TAG = t', '', 'sip:a@h', { tag: 't' }],
    ['<sip:a@h>;x="q;u,o\\"te";y=<z;z>', '', 'sip:a@h', { x: 'q;u,o"te', y: '<z;z>' }],
    ['<sip:a@h>;tag=%41', '', 'sip:a@h', { tag: '%41' }],
    ['"Mr. J. User <sip:j@h>', '"Mr. J. User', 'sip:j@h', {}],
    ['<sip:a@h', '', 'sip:a@h', {}],
    ['sip:a@h;x=<y>', '', 'sip:a@h', { x: '<y>' }],
    ['*', '', '*', {}],
    ['', '', '', {}],
  ])('%s is read', (value, displayName, text, parameters) => {
    const read = readNameAddr(value)
    expect({ ...read, parameters: Object.fromEntries(read.parameters) }).toEqual({
      displayName,
      uri: text,
      parameters,
    })
  })
})

describe('parameters and lists', () => {
  test('a parameter named like a property of objects is a parameter', () => {
    const parameters = readParameters(';__proto__=x;constructor', 0)
    expect([...parameters]).toEqual([
      ['__proto__', 'x'],
      ['constructor', ''],
    ])
  })

  test.each([
    ['a,b', ['a', 'b']],
    ['"a,b" <c,d>,e', ['"a,b" <c,d>', 'e']],
    [',, a ,', ['a']],
    ['"open, b', ['"open, b']],
    ['<open, b', ['<open, b']],
    ['', []],
  ])('%s is split outside quotes and brackets', (text, values) => {
    const into: string[] = []
    splitValues(text, into)
    expect(into).toEqual(values)
  })

  test('any text is read without a throw', () => {
    const unit = fc.constantFrom(...'sip:tel<>"\\;=@,?%41[]: \t\0\xff')
    const property = fc.property(fc.string({ unit, maxLength: 60 }), (text) => {
      const address = readNameAddr(text)
      portabilityOf(readUri(address.uri))
      trunkGroupOf(readUri(text))
      splitValues(text, [])
    })
    fc.assert(property, { numRuns: 5_000 })
  })
})
