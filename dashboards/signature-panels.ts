/** Panels on what was checked of PASSporTs: signatures, who signed, and how long certificates are still good. */
import { captureLossLines } from './common-panels.js'
import { CHOSEN, increase, perBar } from './expressions.js'
import { SPAN } from './kpi-panels.js'
import { fallingSteps, type PanelLink, type PanelSpec } from './panel.js'
import { runbookLink } from './runbooks.js'

type Placed = PanelSpec & { width: number }

const DAY_S = 86_400
/** Fewer tokens say little, as fewer attempts do. */
const TOKENS_MIN = 100

const EMPTY = 'nothing checked'

const PAGE: PanelLink = {
  title: 'STIR/SHAKEN in Trunkscope',
  url: `\${trunkscope}/attestation?carrier=\${carrier:csv}&site=\${site:csv}&direction=\${direction:csv}&${SPAN}`,
}

const TOKENS = 'trunkscope_identity_tokens_total'

function bars(id: number, width: number, label: string, title: string, description: string): Placed {
  return {
    kind: 'bars',
    id,
    width,
    title,
    description: `${description} The bars add up to the sum in the legend.`,
    unit: 'short',
    decimals: 0,
    min: 0,
    empty: EMPTY,
    queries: [{ expr: perBar(TOKENS, [label]), legend: `{{${label}}}` }],
    links: [PAGE],
  }
}

function signaturesBars(id: number, width: number): Placed {
  return bars(
    id,
    width,
    'signature',
    'Tokens by signature',
    'Tokens of Identity headers by what their signature says: valid, invalid, or not_checked, which never means bad. Some minutes behind the calls.',
  )
}

function signersBars(id: number, width: number): Placed {
  return bars(
    id,
    width,
    'spc',
    'Tokens by signer',
    'Tokens by the service provider code of the certificate that signed; unknown: no certificate was at hand, or it has no code.',
  )
}

function contractBars(id: number, width: number): Placed {
  return {
    ...bars(
      id,
      width,
      'contract',
      'Valid signatures by contract',
      'Tokens with a valid signature by whether `spcs` of the carrier names who signed: contracted, other, unknown (the certificate has no code), or not_asked (no spcs are configured, or the call is not inbound).',
    ),
    queries: [{ expr: perBar('trunkscope_identity_contract_total', ['contract']), legend: '{{contract}}' }],
    runbooks: [runbookLink('SignerNotInContract')],
  }
}

function tokenShare(
  id: number,
  width: number,
  of: { title: string; metric: string; matcher: string; description: string },
): Placed {
  const part = increase(of.metric, ['carrier'], `${of.matcher},${CHOSEN}`)
  const whole = increase(of.metric, ['carrier'], CHOSEN)
  return {
    kind: 'lines',
    id,
    width,
    title: of.title,
    description: `${of.description} From ${TOKENS_MIN} tokens on.`,
    unit: 'percentunit',
    min: 0,
    max: 1,
    empty: EMPTY,
    queries: [
      { expr: `${part} / ${whole} and on (carrier) (${whole} >= ${TOKENS_MIN})`, legend: '{{carrier}}' },
    ],
    links: [PAGE],
  }
}

function certificatesTable(id: number, width: number): Placed {
  return {
    kind: 'table',
    id,
    width,
    title: 'Certificates and how long they are good',
    description:
      'Certificates that signed tokens in the 24 hours before the end of the range, and how long they are still good; a negative time: ended, and signing on. Yellow below 14 days, red below 3, as the alert CertificateExpiring.',
    unit: 's',
    empty: EMPTY,
    runbooks: [runbookLink('CertificateExpiring')],
    queries: [
      {
        expr: 'min by (certificate, spc, carrier) (trunkscope_identity_certificate_remaining_seconds{carrier=~"$carrier"})',
        legend: 'remaining',
      },
    ],
    columns: [
      { name: 'certificate', heading: 'Certificate (SHA-256)' },
      { name: 'spc', heading: 'SPC' },
      { name: 'carrier', heading: 'Signs for' },
      { name: 'remaining', heading: 'Good for', unit: 's', steps: fallingSteps(14 * DAY_S, 3 * DAY_S) },
    ],
    links: [PAGE],
  }
}

/** Rows of the STIR/SHAKEN dashboard. */
export function checkedRows() {
  return [
    {
      title: 'What was checked of it',
      height: 9,
      panels: [
        signaturesBars(40, 6),
        tokenShare(41, 6, {
          title: 'Valid signatures by carrier',
          metric: 'trunkscope_identity_tokens_total',
          matcher: 'signature="valid"',
          description:
            'Tokens whose signature holds, over all that were looked at in the hour before each point, those not checked among them: a missing certificate shows here, too.',
        }),
        tokenShare(42, 6, {
          title: 'Verified by carrier',
          metric: 'trunkscope_identity_verified_total',
          matcher: 'verdict="passed"',
          description:
            'Tokens that passed all steps of RFC 8224 together (certificate, signature, freshness, originator, destination), over all that were looked at in the hour before each point.',
        }),
        captureLossLines(43, 6, ['carrier', 'site']),
      ],
    },
    {
      title: 'Who signs, and until when',
      height: 9,
      panels: [signersBars(50, 6), contractBars(52, 6), certificatesTable(51, 12)],
    },
  ]
}
