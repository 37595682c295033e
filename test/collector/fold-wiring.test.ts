import { expect, test } from 'vitest'
import { foldOf } from '../../collector/fold-wiring.js'
import { configSchema } from '../../schemas/config.js'
import { factsFrom, observed, SBC, START_US } from '../support/messages.js'

const FOLD = foldOf(
  configSchema.parse({
    sites: [{ id: 'fra', sbc: [SBC] }],
    carriers: [
      { id: 'acme', peers: ['203.0.113.1/32'], trunk_groups: [{ tgrp: 'TG-1', context: '+1-630' }] },
    ],
  }),
)
const URI = 'sip:+16305550100;tgrp=TG-1;trunk-context=+1-630@isp.example.net;user=phone'
const attempt = (...fields: Parameters<typeof observed>[0][]) =>
  FOLD.attemptOf('id', factsFrom(fields.map(observed)), START_US + 86_400_000_000)

test('vector N: an attempt whose far side no peer matches is that of its trunk group', () => {
  expect(attempt({ requestUri: URI })).toMatchObject({ carrier: 'acme', attributionRule: 'trunk_group' })
  expect(attempt({ contact: `<${URI}>`, fromFar: true })).toMatchObject({
    carrier: 'acme',
    direction: 'inbound',
  })
  expect(attempt({ requestUri: URI.replace(';trunk-context=+1-630', '') })).toMatchObject({
    carrier: 'unknown',
  })
})

test('without the INVITE nothing is known of the group', () => {
  expect(attempt({ at: 1, code: 180 })).toMatchObject({ carrier: 'unknown', attributionRule: 'none' })
})
