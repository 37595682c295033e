/**
 * A question for each route, and what it needs. A route that has none here fails its tests, so that whoever adds one says
 * who may ask it (test/api/access.test.ts) and has it held against the carriers of others (test/api/seen.test.ts).
 */
import type { App } from '../../api/deps.js'
import { identityOf } from '../../api/scorecards/documents.js'
import type { Role } from '../../schemas/tokens.js'
import { HOUR, NOON, ONE } from './support.js'

export interface Sample {
  /** undefined: no token is asked for. */
  role: Role | undefined
  /** About all carriers together: not for a token of some. */
  isOfAllCarriers?: true
  /** Addresses; `{alpha}` is the id of an attempt of alpha. Without: that of the route. */
  ask?: readonly string[]
  /** Of a POST. */
  form?: string
}

const RANGE = `start=${Date.parse(NOON) / 1_000}&end=${Date.parse(ONE) / 1_000}`
const QUERIES = [
  'sum by (carrier, site, direction) (increase(trunkscope_attempts_total[1h]))',
  'trunkscope_attempts_total',
  'sum by (carrier, code) (increase(trunkscope_responses_total[1h]))',
  'histogram_quantile(0.95, sum by (le, carrier) (increase(trunkscope_post_dial_delay_seconds_bucket[1h])))',
  'trunkscope_slo_burn_ratio',
  'trunkscope_slo_budget_remaining_ratio',
  'sum by (carrier, spc, signature) (increase(trunkscope_identity_tokens_total[1h]))',
  'trunkscope_identity_certificate_remaining_seconds',
  'trunkscope_agent_frames_total',
  'trunkscope_nothing_of_the_kind',
].map((query) => `query=${encodeURIComponent(query)}`)
const prom = (path: string, parameters: readonly string[]): Sample => ({
  role: 'viewer',
  ask: parameters.map((query) => `/prom/api/v1/${path}?${query}`),
})
const form = (text: string): Sample => ({ role: 'viewer', form: text })
/** Answered with 405. */
const REFUSED: Sample = { role: 'viewer' }

/** A stored scorecard of this carrier ('': of all side by side). */
export const documentOf = (carrier: string) => ({
  schedule: 'weekly',
  firedAtMs: Date.parse('2026-11-23T06:00:00Z'),
  carrier,
})

export const SAMPLES: Readonly<Record<string, Sample>> = {
  'GET /healthz': { role: undefined },
  'GET /readyz': { role: 'viewer' },
  'GET /metrics': { role: 'viewer', isOfAllCarriers: true },
  'GET /openapi.json': { role: 'viewer' },
  'GET /style.css': { role: 'viewer' },
  'GET /page.js': { role: 'viewer' },
  'GET /v1/kpis': {
    role: 'viewer',
    ask: [
      `/v1/kpis?${HOUR}`,
      `/v1/kpis?${HOUR}&group_by=`,
      `/v1/kpis?${HOUR}&group_by=carrier,site,direction&step=300`,
      `/v1/kpis?${HOUR}&group_by=site&exact=true&step=300`,
      `/v1/kpis?${HOUR}&exact=true`,
      '/v1/kpis?from=2026-11-18T00:00:00Z&to=2026-11-21T00:00:00Z',
      `/v1/kpis?${HOUR}&carrier=alpa`,
      `/v1/kpis?${HOUR}&carrier=`,
      `/v1/kpis?${HOUR}&site=nowhere`,
      `/v1/kpis?${HOUR}&kpi=nothing`,
      '/v1/kpis?colour=red',
    ],
  },
  'GET /v1/identity/signers': {
    role: 'viewer',
    ask: [`/v1/identity/signers?${HOUR}`, '/v1/identity/signers?carrier=alpa'],
  },
  'GET /v1/identity/certificates': {
    role: 'viewer',
    ask: [`/v1/identity/certificates?${HOUR}&within_days=10`, '/v1/identity/certificates?within_days=x'],
  },
  'GET /v1/carriers': { role: 'viewer', ask: [`/v1/carriers?${HOUR}`, '/v1/carriers?from=never'] },
  'GET /v1/attempts': {
    role: 'viewer',
    ask: [
      `/v1/attempts?${HOUR}&limit=500`,
      `/v1/attempts?${HOUR}&limit=2`,
      `/v1/attempts?${HOUR}&party=carrier,unknown,customer,internal&limit=500`,
      '/v1/attempts?call_id=shared%40hunting.example',
      `/v1/attempts?${HOUR}&state=opened`,
      `/v1/attempts?${HOUR}&number=%2B12155550100`,
      `/v1/attempts?${HOUR}&called=*550211`,
    ],
  },
  'GET /v1/attempts/:id': {
    role: 'viewer',
    ask: ['/v1/attempts/{alpha}', '/v1/attempts/{alpha}?facts=true', '/v1/attempts/nonsense'],
  },
  'GET /v1/cancels': {
    role: 'viewer',
    ask: [
      `/v1/cancels?${HOUR}`,
      `/v1/cancels?${HOUR}&group_by=`,
      `/v1/cancels?${HOUR}&group_by=carrier,site,direction,destination`,
      `/v1/cancels?${HOUR}&direction=up`,
    ],
  },
  'GET /cancels': {
    role: 'viewer',
    ask: [`/cancels?${HOUR}&group_by=carrier,site,destination`, '/cancels'],
  },
  'GET /v1/catalog': { role: 'viewer' },
  'GET /v1/destinations': {
    role: 'viewer',
    ask: [
      `/v1/destinations?${HOUR}`,
      `/v1/destinations?${HOUR}&group_by=carrier,prefix`,
      `/v1/destinations?${HOUR}&group_by=site,direction`,
      `/v1/destinations?${HOUR}&prefix=%2B4969`,
      `/v1/destinations?${HOUR}&country=DE&carrier=alpa`,
      '/v1/destinations?prefix=x',
    ],
  },
  'GET /v1/peers': {
    role: 'viewer',
    ask: [
      `/v1/peers?${HOUR}`,
      `/v1/peers?${HOUR}&carrier=alpha`,
      `/v1/peers?${HOUR}&country=DE`,
      `/v1/peers?${HOUR}&prefix=%2B4969955&carrier=alpha`,
      `/v1/peers?${HOUR}&carrier=alpa`,
      '/v1/peers?country=x',
    ],
  },
  'GET /v1/numbers': { role: 'viewer' },
  'GET /v1/numbers/misrouted': {
    role: 'viewer',
    ask: [`/v1/numbers/misrouted?${HOUR}`, '/v1/numbers/misrouted?from=never'],
  },
  'GET /numbers': { role: 'viewer', ask: [`/numbers?${HOUR}`, '/numbers', '/numbers?last=1y'] },
  'GET /v1/attempts/:id/ladder': {
    role: 'viewer',
    ask: ['/v1/attempts/{alpha}/ladder', '/v1/attempts/nonsense/ladder'],
  },
  'GET /v1/attempts/:id/ladder.svg': {
    role: 'viewer',
    ask: ['/v1/attempts/{alpha}/ladder.svg', '/v1/attempts/nonsense/ladder.svg'],
  },
  'GET /v1/attempts/:id/pcap': {
    role: 'investigator',
    ask: ['/v1/attempts/{alpha}/pcap', '/v1/attempts/nonsense/pcap'],
  },
  'GET /v1/attempts/:id/messages.txt': {
    role: 'investigator',
    ask: ['/v1/attempts/{alpha}/messages.txt', '/v1/attempts/nonsense/messages.txt'],
  },
  'GET /v1/agents': { role: 'viewer', isOfAllCarriers: true, ask: [`/v1/agents?${HOUR}`] },
  'GET /v1/refused': { role: 'investigator', isOfAllCarriers: true },
  'GET /': { role: 'viewer', ask: [`/?${HOUR}`, '/', '/?last=24h', '/?last=1y'] },
  'GET /carriers/:id': {
    role: 'viewer',
    ask: [
      `/carriers/alpha?${HOUR}`,
      `/carriers/alpha?${HOUR}&peers=true`,
      '/carriers/alpa',
      `/carriers/unknown?${HOUR}`,
    ],
  },
  'GET /attempts': {
    role: 'viewer',
    ask: [
      `/attempts?${HOUR}`,
      '/attempts?call_id=shared%40hunting.example',
      '/attempts?state=x',
      `/attempts?${HOUR}&number=*0100`,
      `/attempts?${HOUR}&carrier=nobody&limit=3`,
    ],
  },
  'GET /attempts/:id': { role: 'viewer', ask: ['/attempts/{alpha}', '/attempts/nonsense'] },
  'GET /tap': { role: 'viewer', isOfAllCarriers: true, ask: [`/tap?${HOUR}`] },
  'GET /v1/trunks': {
    role: 'viewer',
    ask: ['/v1/trunks', '/v1/trunks?carrier=alpha&site=dal', '/v1/trunks?x=1'],
  },
  'GET /v1/trunks/:id': {
    role: 'viewer',
    ask: ['/v1/trunks/alpha~dal~198.51.100.10', '/v1/trunks/nonsense'],
  },
  'GET /v1/capacity': {
    role: 'viewer',
    ask: ['/v1/capacity', `/v1/capacity?${HOUR}&scope=carrier&carrier=alpha`, '/v1/capacity?scope=none'],
  },
  'GET /trunks': { role: 'viewer', ask: ['/trunks', '/trunks?carrier=alpha'] },
  'GET /v1/early-media': {
    role: 'viewer',
    ask: [
      `/v1/early-media?${HOUR}`,
      `/v1/early-media?${HOUR}&group_by=`,
      `/v1/early-media?${HOUR}&group_by=carrier,prefix,code&direction=inbound,outbound,unknown`,
      `/v1/early-media?${HOUR}&carrier=beta&code=EM_LONG`,
      '/v1/early-media?code=EM_SHORT',
    ],
  },
  'GET /v1/fas': {
    role: 'viewer',
    ask: [`/v1/fas?${HOUR}`, '/v1/fas', '/v1/fas?carrier=beta', '/v1/fas?from=never'],
  },
  'GET /early-media': {
    role: 'viewer',
    ask: [`/early-media?${HOUR}`, '/early-media', `/early-media?${HOUR}&carrier=alpha`],
  },
  'GET /v1/attestation': {
    role: 'viewer',
    ask: [
      `/v1/attestation?${HOUR}`,
      `/v1/attestation?${HOUR}&step=300&direction=outbound`,
      `/v1/attestation?${HOUR}&carrier=alpha&site=dal`,
      '/v1/attestation?carrier=alpa',
    ],
  },
  'GET /attestation': {
    role: 'viewer',
    ask: [
      `/attestation?${HOUR}`,
      '/attestation',
      `/attestation?${HOUR}&carrier=alpha`,
      '/attestation?carrier=alpa',
    ],
  },
  'GET /v1/slos': { role: 'viewer' },
  'GET /v1/slos/:id/burn': {
    role: 'viewer',
    ask: [`/v1/slos/carrier-availability/burn?${HOUR}`, '/v1/slos/carrier-availabilty/burn'],
  },
  'GET /v1/carriers/:id/scorecard': {
    role: 'viewer',
    ask: [
      '/v1/carriers/alpha/scorecard?week=2026-W47',
      '/v1/carriers/alpha/scorecard?week=2026-W47&format=html',
      '/v1/carriers/alpha/scorecard?week=2026-W47&format=csv',
      '/v1/carriers/alpa/scorecard',
      '/v1/carriers/alpha/scorecard?week=never',
    ],
  },
  'GET /v1/scorecards': {
    role: 'viewer',
    ask: [
      '/v1/scorecards?week=2026-W47',
      '/v1/scorecards?week=2026-W47&format=html',
      '/v1/scorecards?week=2026-W47&format=csv',
      '/v1/scorecards',
    ],
  },
  'GET /v1/carriers/:id/dispute-pack': {
    role: 'investigator',
    ask: [
      '/v1/carriers/alpha/dispute-pack?from=2026-11-20T12:00:00Z&to=2026-11-20T12:30:00Z&class=bad,5xx&calls=3',
      '/v1/carriers/alpa/dispute-pack?from=2026-11-20T12:00:00Z&to=2026-11-20T12:30:00Z&class=bad',
      '/v1/carriers/alpha/dispute-pack?class=colour',
    ],
  },
  'GET /v1/documents': {
    role: 'viewer',
    ask: ['/v1/documents', '/v1/documents?week=2026-W47&carrier=beta', '/v1/documents?format=doc'],
  },
  'GET /v1/documents/:id': {
    role: 'viewer',
    ask: [
      ...['alpha', 'beta', ''].map((carrier) => `/v1/documents/${identityOf(documentOf(carrier), 'html')}`),
      '/v1/documents/nonsense',
    ],
  },
  'POST /v1/scorecards/schedules/:id/run': {
    role: 'admin',
    isOfAllCarriers: true,
    ask: ['/v1/scorecards/schedules/weekly/run'],
  },
  'GET /scorecards': { role: 'viewer', ask: ['/scorecards?week=2026-W47', '/scorecards'] },
  'GET /slos': { role: 'viewer', ask: [`/slos?${HOUR}`] },
  'GET /prom/api/v1/query': prom(
    'query',
    QUERIES.map((query) => `${query}&time=${ONE}`),
  ),
  'POST /prom/api/v1/query': form(QUERIES[0]!),
  'GET /prom/api/v1/query_range': prom(
    'query_range',
    QUERIES.map((query) => `${query}&${RANGE}&step=300`),
  ),
  'POST /prom/api/v1/query_range': form(`${QUERIES[0]!}&${RANGE}&step=300`),
  'GET /prom/api/v1/query_exemplars': prom('query_exemplars', [`${QUERIES[0]!}&${RANGE}`]),
  'POST /prom/api/v1/query_exemplars': form(`${QUERIES[0]!}&${RANGE}`),
  'GET /prom/api/v1/labels': prom('labels', [RANGE, '']),
  'POST /prom/api/v1/labels': form(RANGE),
  'GET /prom/api/v1/series': prom('series', [
    `match[]=trunkscope_attempts_total&${RANGE}`,
    `match[]={carrier=~".*"}&${RANGE}`,
  ]),
  'POST /prom/api/v1/series': form(`match[]=trunkscope_attempts_total&${RANGE}`),
  'GET /prom/api/v1/label/:name/values': {
    role: 'viewer',
    ask: ['carrier', 'site', '__name__', 'code', 'slo', 'agent'].flatMap((name) => [
      `/prom/api/v1/label/${name}/values?${RANGE}`,
      `/prom/api/v1/label/${name}/values`,
    ]),
  },
  'POST /prom/api/v1/label/:name/values': REFUSED,
  'GET /prom/api/v1/metadata': { role: 'viewer' },
  'POST /prom/api/v1/metadata': REFUSED,
  'GET /prom/api/v1/rules': { role: 'viewer' },
  'POST /prom/api/v1/rules': REFUSED,
  'GET /prom/api/v1/status/buildinfo': { role: 'viewer' },
  'POST /prom/api/v1/status/buildinfo': REFUSED,
  'GET /v1/alerts': { role: 'viewer' },
  'GET /v1/alerts/:key': { role: 'viewer', ask: ['/v1/alerts/alert-of-alpha', '/v1/alerts/alert'] },
  'GET /alerts': { role: 'viewer' },
  'GET /alerts/:key': { role: 'viewer', ask: ['/alerts/alert-of-alpha', '/alerts/alert'] },
  'GET /v1/audit': {
    role: 'investigator',
    isOfAllCarriers: true,
    ask: [`/v1/audit?${HOUR}`, '/v1/audit?action=nothing', `/v1/audit?${HOUR}&number=*0100`],
  },
  'GET /audit': {
    role: 'investigator',
    isOfAllCarriers: true,
    ask: [`/audit?${HOUR}`, '/audit', '/audit?number=x'],
  },
  'GET /v1/alerts/deliveries': { role: 'investigator', isOfAllCarriers: true },
  'POST /v1/alerts/deliveries/:id/retry': { role: 'admin', isOfAllCarriers: true },
}

/** Addresses to ask a route by; `{alpha}` becomes the id. */
export function addressesOf(route: string, { ask }: Sample, alpha: string): string[] {
  const [, url] = route.split(' ')
  return (ask ?? [url!.replace(':id', 'a'.repeat(32)).replace(':key', 'x').replace(':name', 'carrier')]).map(
    (address) => address.replace('{alpha}', alpha),
  )
}

/** Every route that is registered, from Fastify's own table: "GET /v1/kpis". */
export function routesOf(app: App): string[] {
  const found: string[] = []
  const path: string[] = []
  for (const line of app.printRoutes({ commonPrefix: false }).split('\n')) {
    const match = /^([│ ]*)(?:├── |└── )(\S*)(?: \(([A-Z, ]+)\))?/.exec(line)
    if (match === null) continue
    path.length = match[1]!.length / 4
    path.push(match[2]!)
    for (const method of match[3]?.split(', ') ?? []) {
      if (method !== 'HEAD') found.push(`${method} ${path.join('')}`)
    }
  }
  return found
}

/** Base64 and percent-encoding hide nothing. */
export function unfolded(body: string): string {
  const decoded = [...body.matchAll(/[A-Za-z0-9+/_-]{16,}={0,2}/g)].map(([text]) =>
    Buffer.from(text, text.includes('-') || text.includes('_') ? 'base64url' : 'base64').toString('latin1'),
  )
  return [
    body,
    ...decoded,
    body.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
  ].join('\n')
}
