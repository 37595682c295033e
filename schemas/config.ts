/**
 * trunkscope.yaml: who is who on the wire. Checked with zod; `bin/connect/config.ts` reads the file and turns an
 * issue into a line number and the fix. Keys are snake_case, units stand in the names, unknown keys are errors.
 */
import { isIP } from 'node:net'
import { z } from 'zod'
import { alertsSchema } from './alert-rules.js'
import { earlyMediaThresholds, fasThresholds } from './anomalies.js'
import { chargeSchema, creditSchema } from './credits.js'
import { identitySchema, spc } from './identity-config.js'
import { scorecardsSchema } from './scorecard-schedule.js'
import { sinksSchema } from './sinks.js'
import { maintenanceSchema, sloSchema } from './slos.js'
import { tokenSchema } from './tokens.js'

/** "192.0.2.0/24", "2001:db8::/32", or a single address, which means all its bits. */
export const cidr = z.string().refine(isCidr, {
  message: 'is not an address or CIDR; write for example 192.0.2.10/32 or 2001:db8::/48',
})

function isCidr(text: string): boolean {
  const slash = text.indexOf('/')
  const address = slash < 0 ? text : text.slice(0, slash)
  const family = isIP(address)
  if (family === 0 || address.includes('%')) return false // A zone (fe80::1%eth0) means nothing on another host.
  if (slash < 0) return true
  const bits = text.slice(slash + 1)
  return /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128)
}

const id = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, {
    message: 'is no id; write lower-case letters, digits, - and _, at most 63, for example alpha-telecom',
  })
  .refine((value) => value !== 'unknown', {
    message: 'is what unmatched traffic is called; write another id',
  })

export const direction = z.enum(['inbound', 'outbound'])

const peer = z.union([
  cidr,
  z.strictObject({
    cidr,
    port: z.int().min(1).max(65_535).optional(),
    site: id.optional(),
    direction: direction.optional(),
  }),
])

/** Both parameters, as the SBC writes them: tgrp=TG-1;trunk-context=+1-630. */
const trunkGroup = z.strictObject({
  tgrp: z.string().regex(/^[A-Za-z0-9\-_.!~*'()[\]/:&+$%]{1,128}$/, {
    message: 'is no trunk group; write the value of tgrp alone, for example TG-1',
  }),
  context: z.string().regex(/^(?:\+[0-9][0-9\-.()]{0,31}|[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?)$/, {
    message: 'is no trunk-context; write a domain or digits with +, for example example.com or +1-630',
  }),
})

/** Messages and logs show addresses: a password in one would get out. */
function holdsCredentials(url: string): boolean {
  if (!URL.canParse(url)) return false
  const { username, password } = new URL(url)
  return username !== '' || password !== ''
}

/** Path of a file; secrets stand in files, never in the configuration itself. */
const file = z.string().min(1)

export const configSchema = z.strictObject({
  sites: z
    .array(
      z.strictObject({
        id,
        name: z.string().optional(),
        /** Addresses of the SBC: one end of every leg we judge. */
        sbc: z.array(cidr).default([]),
        /** HEP capture ids of the agents of this site. */
        agents: z.array(z.int().min(0).max(0xffff_ffff)).default([]),
      }),
    )
    .default([]),
  carriers: z
    .array(
      z.strictObject({
        id,
        name: z.string().optional(),
        peers: z.array(peer).min(1),
        /** Whom to call there when its calls fail: stands in its alerts. */
        contacts: z
          .strictObject({
            escalation: z.string().min(1).max(500).optional(),
            email: z.email().optional(),
            phone: z.string().min(3).max(40).optional(),
            url: z.url({ protocol: /^https?$/ }).optional(),
          })
          .optional(),
        /** What the contract promises, by KPI (schemas/targets.ts): asr: 0.45, pdd_p95_s: 6. Stands in its scorecard. */
        targets: z.record(z.string(), z.number()).optional(),
        /** What is owed back when less is delivered (schemas/credits.ts). Stands in its dispute packs. */
        credits: z.array(creditSchema).optional(),
        /** Contracted capacity. `per`: of the carrier as a whole, at each site, or of each far address (docs/trunks.md). */
        limits: z
          .strictObject({
            concurrent_calls: z.int().min(1).max(10_000_000).optional(),
            calls_per_second: z.int().min(1).max(1_000_000).optional(),
            per: z.enum(['carrier', 'site', 'trunk']).default('carrier'),
          })
          .refine(
            (limits) => limits.concurrent_calls !== undefined || limits.calls_per_second !== undefined,
            {
              message: 'holds no limit; write concurrent_calls: 500, calls_per_second: 20, or both',
            },
          )
          .optional(),
        /** Service provider codes that may sign its calls; of its contract. Left out: nobody's signer is compared. */
        spcs: z.array(spc).min(1).optional(),
        /** Of a calendar month; without it credits are percentages only. */
        monthly_charge: chargeSchema.optional(),
        /** Whose trunk groups they are (RFC 4904), in contexts of ours: for legs that no peer matches. docs/numbers.md. */
        trunk_groups: z.array(trunkGroup).min(1).optional(),
      }),
    )
    .default([]),
  customers: z
    .array(z.strictObject({ id, name: z.string().optional(), peers: z.array(peer).min(1) }))
    .default([]),
  /** Shared secret that agents put in chunk 14. Plain text on the wire: worth something over a private network only. */
  agent_key: z.string().min(8).optional(),
  /** The same in a file of its own, so that no secret stands here. */
  agent_key_file: file.optional(),
  /** Bearer tokens of the API, as digests; needed as soon as it listens off loopback. */
  tokens: z.array(tokenSchema).default([]),
  /** More of them: a YAML list of the same shape. */
  tokens_file: file.optional(),
  /** Left out: `DEFAULT_SLOS`. */
  slos: z.array(sloSchema).optional(),
  maintenance: z.array(maintenanceSchema).default([]),
  alerts: alertsSchema,
  sinks: sinksSchema,
  scorecards: scorecardsSchema,
  identity: identitySchema,
  thresholds: z
    .strictObject({
      pre_ring_patience_ms: z.int().min(0).default(4_000),
      ring_timers_s: z.array(z.number().positive()).default([30, 60, 90, 120, 180]),
      // Of the evidence passes (docs/evidence.md).
      sibling_answer_ms: z.int().min(0).max(60_000).default(1_000),
      route_advance_ms: z.int().min(0).max(60_000).default(2_000),
      reclass_hours: z.int().min(1).max(168).default(24),
      // Of /v1/cancels.
      retry_s: z.int().min(1).max(3_600).default(60),
      short_ring_ms: z.int().min(1).max(60_000).default(5_000),
      // Suspicions (docs/early-media.md).
      early_media: earlyMediaThresholds,
      fas: fasThresholds,
      // Of the state of trunks (docs/trunks.md).
      trunk_down_exchanges: z.int().min(2).max(100).default(3),
      trunk_degraded_ratio: z.number().gt(0).lte(1).default(0.2),
      trunk_window_minutes: z.int().min(1).max(60).default(5),
      trunk_unknown_minutes: z.int().min(2).max(240).default(10),
    })
    .prefault({}),
  /** A CSV file of our numbers: number, country, type, carrier. docs/numbers.md. */
  numbers: file.optional(),
  /** What tells the legs of one call, beside Call-ID, numbers and time. */
  calls: z
    .strictObject({
      /** RFC 7989. Reads the INVITEs of each minute once more; switch it off where no SBC passes Session-ID on. */
      session_id: z.boolean().default(true),
      /** A header that the SBCs pass on from leg to leg. */
      correlation_header: z
        .string()
        .regex(/^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/, {
          message: 'is no header name; write letters, digits and -, for example X-CID',
        })
        .optional(),
    })
    .prefault({}),
  retention: z
    .strictObject({
      raw_days: z.int().min(1).max(3_650).default(7),
      attempts_months: z.int().min(1).max(120).default(13),
      minutes_days: z.int().min(1).max(3_650).default(390),
      // Capture times reach back 400 days at most: no message comes for a day whose hours are gone.
      hours_months: z.int().min(14).max(240).default(37),
      days_months: z.int().min(14).max(360).default(120),
      /** Scorecards that a schedule made. */
      documents_months: z.int().min(1).max(240).default(25),
      /** Of the audit trail. */
      audit_days: z.int().min(30).max(3_650).default(400),
    })
    .prefault({}),
  audit: z
    .strictObject({
      /** Keys of the digests in the audit trail, one a line, the newest first. Left out: `start` makes one in its folder. */
      key_file: file.optional(),
    })
    .prefault({}),
  spool: z.strictObject({ size_max_bytes: z.int().min(1_048_576).default(4_294_967_296) }).prefault({}),
  capture: z
    .strictObject({
      receive_buffer_bytes: z.int().min(65_536).default(8_388_608),
      tcp_connections_max: z.int().min(1).default(1_024),
      tcp_connections_per_address_max: z.int().min(1).default(64),
      /** Agents may send from these networks only; empty: from anywhere. */
      allowed_agents: z.array(cidr).default([]),
      /** HEP2 carries no key and no lengths worth trusting: off unless an old agent needs it. */
      hep2: z.boolean().default(false),
      /** For HEP over TLS (`--hep-tls`). */
      tls: z
        .strictObject({
          cert_file: file,
          key_file: file,
          /** Agents must show a certificate of one of these authorities. */
          client_ca_file: file.optional(),
        })
        .optional(),
    })
    .prefault({}),
  /** The bus of the cluster; needed by `capture` and `store`, not by `start`. */
  kafka: z
    .strictObject({
      brokers: z
        .array(
          z.string().regex(/^[^\s:/]+:\d{1,5}$|^\[[0-9a-fA-F:]+\]:\d{1,5}$/, {
            message: 'is no broker; write HOST:PORT, for example kafka-1.example:9092',
          }),
        )
        .min(1),
      topic: z
        .string()
        .regex(/^[A-Za-z0-9._-]{1,249}$/, {
          message: 'is no topic; write letters, digits, dot, - and _, for example trunkscope.hep',
        })
        .default('trunkscope.hep'),
      /** The number the topic is made with, the same in every process and for ever; the topic itself may grow to a multiple. */
      base_partitions: z.int().min(1).max(1_024).default(24),
      replication_factor: z.int().min(1).max(15).default(1),
      retention_hours: z.int().min(1).default(24),
      group: z.string().min(1).max(249).default('trunkscope-store'),
      compression: z.enum(['none', 'gzip']).default('none'),
      tls: z
        .strictObject({ ca_file: file.optional(), cert_file: file.optional(), key_file: file.optional() })
        .optional(),
      sasl: z
        .strictObject({
          mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']),
          username: z.string().min(1),
          password_file: file,
        })
        .optional(),
    })
    .optional(),
  /** The ClickHouse server of the cluster; needed by `store` and `api`, not by `start`. */
  clickhouse: z
    .strictObject({
      url: z.url({ protocol: /^https?$/ }).refine((url) => !holdsCredentials(url), {
        message:
          'holds a user or password; write them as username and password_file, and here the address alone',
      }),
      database: z
        .string()
        .regex(/^[A-Za-z_][A-Za-z0-9_]{0,62}$/, {
          message: 'is no database name; write letters, digits and _, for example trunkscope',
        })
        .default('trunkscope'),
      username: z.string().min(1).default('default'),
      password_file: file.optional(),
      ca_file: file.optional(),
      /** Who evaluates alerts: a user that may write the alert tables. Left out: `trunkscope api` evaluates none. */
      alerts: z.strictObject({ username: z.string().min(1), password_file: file.optional() }).optional(),
      request_timeout_ms: z.int().min(1_000).default(60_000),
    })
    .optional(),
})

export type TrunkscopeConfig = z.output<typeof configSchema>
export type Direction = z.output<typeof direction>
