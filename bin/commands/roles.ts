/** The roles of a cluster, one process each: `capture`, `store`, `api`, and `init` which prepares their ground. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import { readConfig } from '../connect/config.js'
import { checkExposure, type Endpoint } from '../connect/exposure.js'
import { addHepOptions, endpointOption, listenOptions } from './listening.js'
import { type ListenOptions, parseFolder, type Runners } from './options.js'

export interface InitOptions {
  config: TrunkscopeConfig
  /** Files named as the ClickHouse users, each with the password of one; undefined: users are somebody else's affair. */
  passwordFolder: string | undefined
  /** Print the DDL for this cluster of ClickHouse servers, and do nothing else. */
  clusterName: string | undefined
}

export interface RoleOptions {
  config: TrunkscopeConfig
  configPath: string | undefined
  /** Reads it again, for SIGHUP. */
  readConfig: () => TrunkscopeConfig
  http: Endpoint
}

export interface CaptureCommandOptions extends RoleOptions, ListenOptions {
  dataDir: string
}

const CLUSTER = `
Kafka and ClickHouse stand in the configuration:

  kafka:
    brokers: [kafka-1.example:9092]
  clickhouse:
    url: https://clickhouse.example:8443
    username: trunkscope_store
    password_file: /run/secrets/clickhouse_store

The order: trunkscope init once, then capture beside each site's SBCs, one or more store, one or more api.`

const CAPTURE_HELP = `
Frames are in the spool (--data) before they count as accepted, and stay there until all replicas of the broker have them: a
broker that is away costs nothing. SIGHUP reads agent key, allow-list and certificates again.
${CLUSTER}

Examples:
  trunkscope capture --config trunkscope.yaml
  trunkscope capture --config trunkscope.yaml --data /var/lib/trunkscope --hep-udp 0.0.0.0:9060 --hep-tls 0.0.0.0:9062`

const STORE_HELP = `
Several share the partitions of the topic; one that dies leaves its share to the others, and no number changes. SIGHUP reads
the network (sites, carriers, customers) and thresholds again: for what comes, not for what is stored.
${CLUSTER}

Examples:
  trunkscope store --config trunkscope.yaml
  trunkscope store --config trunkscope.yaml --http 127.0.0.1:8083      # a second one on the same machine`

const API_HELP = `
Page and API over ClickHouse. It only reads; give it a user that may do no more. SIGHUP reads names, carriers and tokens again.
${CLUSTER}

Examples:
  trunkscope api --config trunkscope.yaml
  trunkscope api --config trunkscope.yaml --http 0.0.0.0:8080      # asks for tokens: trunkscope token --help`

const INIT_HELP = `
Makes the topic and the database with its tables, or brings the tables to this version. Safe to run again, and beside others.
The ClickHouse user needs the right to create tables.
${CLUSTER}

Examples:
  trunkscope init --config trunkscope.yaml
  trunkscope init --print-cluster-ddl telephony > tables.sql`

interface Given {
  config?: string
  http: Endpoint
}

export function addRoleCommands(program: Command, runners: Runners): void {
  const capture = program
    .command('capture')
    .summary('cluster: receive HEP, carry it to Kafka')
    .description('Receives HEP from capture agents into a spool on disk, and carries the spool to Kafka.')
    .addOption(configOption())
    .addOption(
      new Option('-d, --data <DIR>', 'where the spool is')
        .env('TRUNKSCOPE_DATA')
        .argParser(parseFolder)
        .default('./trunkscope-data'),
    )
  addHepOptions(capture)
    .addOption(endpointOption('--http', 'TRUNKSCOPE_HTTP', 8081, 'where /healthz, /readyz and /metrics are'))
    .addHelpText('after', CAPTURE_HELP)
    .action(async (given: Given & ListenOptions & { data: string }) => {
      const role = roleOptions(given)
      await runners.capture({ ...role, ...listenOptions(given, role.config), dataDir: given.data })
    })

  program
    .command('store')
    .summary('cluster: fold what Kafka holds, into ClickHouse')
    .description('Reads frames from Kafka, folds SIP into call attempts and writes them to ClickHouse.')
    .addOption(configOption())
    .addOption(endpointOption('--http', 'TRUNKSCOPE_HTTP', 8082, 'where /healthz, /readyz and /metrics are'))
    .addHelpText('after', STORE_HELP)
    .action(async (given: Given) => runners.store(checked(roleOptions(given))))

  program
    .command('api')
    .summary('cluster: page and API over ClickHouse')
    .description('Answers with KPIs per carrier from what the stores have written.')
    .addOption(configOption())
    .addOption(endpointOption('--http', 'TRUNKSCOPE_HTTP', 8080, 'where the page, the API and /metrics are'))
    .addHelpText('after', API_HELP)
    .action(async (given: Given) => runners.api(checked(roleOptions(given))))

  program
    .command('init')
    .summary('cluster: make topic, database and tables')
    .description('Prepares Kafka and ClickHouse for the roles of a cluster.')
    .addOption(configOption())
    .addOption(
      new Option(
        '--passwords <DIR>',
        'also make the ClickHouse users: the folder has a file with the password of each (admin, store, api, grafana)',
      ).argParser(parseFolder),
    )
    .addOption(
      new Option(
        '--print-cluster-ddl <NAME>',
        'print the tables of a replicated, sharded ClickHouse cluster of that name (experimental), and do nothing else',
      ).argParser(parseClusterName),
    )
    .addHelpText('after', INIT_HELP)
    .action(async (given: { config?: string; passwords?: string; printClusterDdl?: string }) =>
      runners.init({
        config: readConfig(given.config || undefined),
        passwordFolder: given.passwords,
        clusterName: given.printClusterDdl,
      }),
    )
}

function parseClusterName(text: string): string {
  if (/^\w+$/.test(text)) return text
  throw new InvalidArgumentError('Write its name as in remote_servers: letters, digits and _.')
}

const configOption = () =>
  new Option('-c, --config <FILE>', 'brokers, ClickHouse, and who is who on the wire: YAML (or JSON)').env(
    'TRUNKSCOPE_CONFIG',
  )

function roleOptions(given: Given): RoleOptions {
  const configPath = given.config || undefined
  const read = () => readConfig(configPath)
  return { config: read(), configPath, readConfig: read, http: given.http }
}

/** HTTP off loopback needs a token. */
function checked(role: RoleOptions): RoleOptions {
  const nowhere = { host: '127.0.0.1', port: 0 }
  checkExposure(
    { http: role.http, hepUdp: nowhere, hepTcp: nowhere, hepTls: undefined, insecure: false },
    role.config,
  )
  return role
}
