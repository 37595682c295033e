import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { maskedRouting, routingOf } from '../../../api/attempts/routing.js'

const URI = 'sip:+16305550100;tgrp=TG-1;trunk-context=+1-630@isp.example.net;user=phone'

describe('how a call was routed', () => {
  test('vector N: the terminating trunk group stands in the Request-URI', () => {
    expect(routingOf(URI, '').trunk_group).toEqual({
      terminating: { tgrp: 'TG-1', context: '+1-630' },
      originating: null,
    })
  })

  test('vector N: without trunk-context there is no trunk group', () => {
    const { trunk_group } = routingOf('sip:+16305550100;tgrp=TG-1@isp.example.net;user=phone', '')
    expect(trunk_group.terminating).toBeNull()
  })

  test('the originating one stands in Contact', () => {
    expect(routingOf('sip:1@x', `"GW" <${URI}>;expires=60`).trunk_group).toEqual({
      terminating: null,
      originating: { tgrp: 'TG-1', context: '+1-630' },
    })
  })

  test.each([
    [
      'a ported number (RFC 4694)',
      'sip:+12155551212;npdi;rn=+12155550000@gw;user=phone',
      { lnp: true, npdi: true, rn: '+12155550000', rn_context: '', cic: '', cic_context: '' },
    ],
    [
      'separators and case',
      'tel:+1-215-555-1212;NPDI;RN=+1-215-555-0000;CIC=+1-6789',
      { lnp: true, npdi: true, rn: '+12155550000', cic: '+16789' },
    ],
    [
      'a local routing number and its context',
      'sip:1212;rn=3f00;rn-context=+33;cic=a1;cic-context=example.com@gw',
      { lnp: true, npdi: false, rn: '3F00', rn_context: '+33', cic: 'A1', cic_context: 'example.com' },
    ],
    ['looked up and not ported', 'sip:+12155551212;npdi@gw', { lnp: false, npdi: true, rn: '' }],
    ['the first of two', 'sip:1;rn=+1215;rn=+1216@gw', { lnp: true, rn: '+1215' }],
    ['what is no number', 'sip:1;rn=alice;cic=%00@gw', { lnp: false, rn: '', cic: '' }],
    ['behind the host they mean nothing', 'sip:1@gw;rn=+1215;npdi', { lnp: false, npdi: false, rn: '' }],
    ['none', 'sip:+12155551212@gw', { lnp: false, npdi: false, rn: '', cic: '' }],
  ])('%s', (_, uri, expected) => {
    expect(routingOf(uri, '').portability).toMatchObject(expected)
  })

  test('a routing number is masked as every number is', () => {
    const { portability, trunk_group } = maskedRouting(
      routingOf(
        'sip:+12155551212;npdi;rn=+12155550077;cic=+16789;tgrp=g2155550166;trunk-context=x.example@gw',
        '',
      ),
    )
    expect(portability).toMatchObject({ lnp: true, npdi: true, rn: '…77', cic: '+16789' })
    expect(trunk_group.terminating?.tgrp).toBe('g…66')
  })

  test('any text gives an answer', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 200 }),
        fc.string({ maxLength: 100 }),
        (uri, contact) => {
          const answer = routingOf(uri, contact)
          expect(answer.portability.lnp).toBe(answer.portability.rn !== '')
          maskedRouting(answer)
        },
      ),
      { numRuns: 300 },
    )
    routingOf(`sip:${';rn='.repeat(3e5)}@x`, `<${';tgrp='.repeat(3e5)}`)
  })
})
