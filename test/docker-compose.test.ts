/**
 * docker-compose.yml and Dockerfile without an engine: what can be known by reading them, by making the secrets for real, and
 * by giving each command line and its environment to the real program.
 */

import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import type { Runners } from '../bin/commands/options.js'
import { buildProgram, runProgram } from '../bin/commands/program.js'
import { environmentNames, readConfig } from '../bin/connect/config.js'
import { DEMO_CONFIG } from '../bin/demo/network.js'
import { ALERTS_USER, SERVER_USERS } from '../collector/store/server-users.js'
import {
  type Compose,
  type ComposeService,
  checkCompose,
  hostPath,
  portsOf,
  readCompose,
  variablesOf,
} from './support/compose.js'
import { missingPrograms, needs } from './support/outside-programs.js'

const text = readFileSync('docker-compose.yml', 'utf8')
const dockerfile = readFileSync('Dockerfile', 'utf8')
const packageJson = JSON.parse(readFileSync('package.json', 'utf8')) as {
  version: string
  engines: { node: string }
}
const surroundings = { isFile: (path: string) => existsSync(path), version: packageJson.version }

const secretFolder = mkdtempSync(join(tmpdir(), 'trunkscope-compose-'))
const hasOpenssl = missingPrograms('openssl').length === 0
const makeSecrets = () => execFileSync('sh', ['deploy/secrets.sh', secretFolder])
beforeAll(() => {
  if (hasOpenssl) makeSecrets()
})
afterAll(() => rmSync(secretFolder, { recursive: true }))

/** Every runner there is, and those to come: each takes its options and does nothing. */
const runners = new Proxy({}, { get: () => async () => {} }) as Runners
const silence = { out: () => {}, err: () => {} }
const program = buildProgram(runners, silence)

const services = (compose: Compose) => Object.entries(compose.services)
const isOurs = ({ image = '', entrypoint }: ComposeService) =>
  image.startsWith('trunkscope:') && entrypoint === undefined

/** The command line of a service, with its environment and the files as they lie here, through the real program. */
async function runService(service: ComposeService, compose: Compose): Promise<string> {
  const here = (path: string) => hostPath(path, service, compose, secretFolder)
  const args = (service.command ?? []).map((arg) => {
    const [, option = '', value = ''] = /^(--[a-z-]+=)?(.*)$/.exec(arg) ?? []
    return option + here(value)
  })
  const before = { ...process.env }
  for (const name of Object.keys(process.env)) if (name.startsWith('TRUNKSCOPE_')) delete process.env[name]
  for (const [name, value] of Object.entries(service.environment ?? {})) {
    if (name.startsWith('TRUNKSCOPE_')) process.env[name] = here(String(value))
  }
  let printed = ''
  try {
    const output = { out: () => {}, err: (line: string) => (printed += line) }
    const exitCode = await runProgram(args, runners, output)
    return exitCode === 0 ? printed : `${args.join(' ')}: exit code ${exitCode}: ${printed}`
  } finally {
    process.env = before
  }
}

function unknownVariables(compose: Compose): string[] {
  const ofConfig = environmentNames().map(({ name }) => name)
  return services(compose).flatMap(([name, { environment = {}, command = [] }]) => {
    const ofCommand = program.commands
      .find((one) => one.name() === command[0])
      ?.options.map(({ envVar }) => envVar)
    return Object.keys(environment)
      .filter((variable) => variable.startsWith('TRUNKSCOPE_'))
      .filter((variable) => !ofConfig.includes(variable) && ofCommand?.includes(variable) !== true)
      .map((variable) => `${name}: ${variable} is no variable of the program`)
  })
}

describe('docker-compose.yml', () => {
  const compose = readCompose(text)

  test('images are pinned, services hardened, references whole, ports and secrets kept in', () => {
    expect(checkCompose(compose, surroundings)).toEqual([])
  })

  test('has the services of a cluster, and only alertmanager and demo wait to be asked for', () => {
    expect(services(compose).map(([name]) => name)).toEqual(
      'secrets kafka clickhouse init capture store-1 store-2 api grafana alertmanager demo'.split(' '),
    )
    const optional = services(compose).filter(([, { profiles }]) => profiles !== undefined)
    expect(optional.map(([name, { profiles }]) => [name, profiles])).toEqual([
      ['alertmanager', ['alertmanager']],
      ['demo', ['demo']],
    ])
  })

  test('every variable of the program exists', () => {
    expect(unknownVariables(compose)).toEqual([])
  })

  test('every variable of the compose file has a default and stands in docs/cluster.md', () => {
    const docs = readFileSync('docs/cluster.md', 'utf8')
    const wrong = [...variablesOf(text)].filter(
      ([name, fallback]) => fallback === undefined || !docs.includes(`\`${name}\``),
    )
    expect(wrong).toEqual([])
  })

  test('Kafka and ClickHouse are reached inside networks without a way out, and only by who needs them', () => {
    const inside = (network: string) =>
      services(compose).flatMap(([name, { networks = [] }]) => (networks.includes(network) ? [name] : []))
    expect(compose.networks.bus?.internal).toBe(true)
    expect(compose.networks.database?.internal).toBe(true)
    expect(inside('bus')).toEqual(['kafka', 'init', 'capture', 'store-1', 'store-2'])
    expect(inside('database')).toEqual(['clickhouse', 'init', 'store-1', 'store-2', 'api'])
  })

  test('the broker says of itself what the roles are told', () => {
    const properties = readFileSync('deploy/kafka/server.properties', 'utf8')
    const [, advertised] = /^advertised\.listeners=CLIENTS:\/\/([^,]+)/m.exec(properties) ?? []
    expect(compose.services.capture?.environment?.TRUNKSCOPE_KAFKA_BROKERS).toBe(advertised)
    const [, clusterId] = /--cluster-id (\S+)/.exec(compose.services.kafka?.command?.join(' ') ?? '') ?? []
    expect(Buffer.from(clusterId ?? '', 'base64url')).toHaveLength(16)
  })

  test('Grafana finds the API where it listens', () => {
    const provisioned = parse(
      readFileSync('dashboards/compiled/provisioning/datasources/trunkscope.yaml', 'utf8'),
    ) as {
      datasources: { uid: string; type: string; url: string }[]
    }
    const url = new URL(provisioned.datasources[0]!.url)
    expect(provisioned.datasources[0]).toMatchObject({ uid: 'trunkscope', type: 'prometheus' })
    expect(compose.services[url.hostname]?.command?.join(' ')).toContain(`--http 0.0.0.0:${url.port}`)
    expect(compose.services[url.hostname]?.networks).toContain('web')
  })

  test('the demo folder says the network of the demo, in the words of the configuration', () => {
    expect(parse(readFileSync('deploy/demo/trunkscope.yaml', 'utf8'))).toEqual(DEMO_CONFIG)
    expect(readConfig('deploy/config/trunkscope.yaml', {})).toEqual(readConfig(undefined, {}))
  })
})

describe('docker-compose.yml with its secrets', () => {
  const test = needs('openssl')
  const files = () =>
    readdirSync(secretFolder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))

  test('each command line, its variables, its configuration and its secrets are taken by the program', async () => {
    for (const CONFIG_FOLDER of ['', './deploy/demo']) {
      const compose = readCompose(text, { CONFIG_FOLDER })
      const ours = services(compose).filter(([, service]) => isOurs(service))
      expect(ours).toHaveLength(6)
      const wrong: Record<string, string> = {}
      for (const [name, service] of ours) {
        const printed = await runService(service, compose)
        if (printed !== '') wrong[name] = printed
      }
      expect(wrong).toEqual({})
    }
  })

  test('every file that a service reads under /run/trunkscope is in its volume, and none that is for another', () => {
    const compose = readCompose(text)
    const paths = services(compose).flatMap(([name, service]) =>
      [...JSON.stringify(service).matchAll(/\/run\/trunkscope\/[\w./]+/g)].map(([path]) => ({
        name,
        path,
        file: hostPath(path, service, compose, secretFolder),
      })),
    )
    expect(paths.length).toBeGreaterThan(15)
    expect(paths.filter(({ file }) => !existsSync(file))).toEqual([])
    const [, token] = /\$__file\{([^}]+)\}/.exec(
      readFileSync('dashboards/compiled/provisioning/datasources/trunkscope.yaml', 'utf8'),
    )!
    expect(existsSync(hostPath(token!, compose.services.grafana!, compose, secretFolder))).toBe(true)
    expect(readdirSync(join(secretFolder, 'init', 'passwords')).sort()).toEqual(
      [...SERVER_USERS, ALERTS_USER].sort(),
    )
    const readers = readdirSync(secretFolder).filter((folder) => folder !== 'originals')
    const leaked = readers.filter(
      (folder) => folder !== 'init' && /init|admin/.test(readdirSync(join(secretFolder, folder)).join()),
    )
    expect(leaked).toEqual(['grafana']) // admin_password is Grafana's own.
  })

  test('a health check succeeds when the role is ready, with its token where one is asked for, and fails otherwise', async () => {
    const compose = readCompose(text)
    const token = readFileSync(join(secretFolder, 'api', 'api_token'), 'utf8').trim()
    let isReady = true
    const server = createServer((request, response) => {
      const isKnown = request.url === '/readyz' && request.headers.authorization === `Bearer ${token}`
      response.writeHead(!isReady ? 503 : isKnown ? 200 : 401).end()
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const check = async (name: string, port = (server.address() as AddressInfo).port) => {
      const service = compose.services[name]!
      const [, program = '', ...args] = service.healthcheck!.test!
      const here = args.map((arg) =>
        arg
          .replace(':8080/', `:${port}/`)
          .replace(/\/run\/trunkscope\/\w+/, (path) => hostPath(path, service, compose, secretFolder)),
      )
      const [exitCode] = (await once(spawn(program, here), 'exit')) as [number]
      return exitCode
    }
    expect(await check('api')).toBe(0)
    expect(await check('store-1')).toBe(1) // Asked without a token, as on loopback: this server wants one.
    isReady = false
    expect(await check('api')).toBe(1)
    server.close()
    expect(await check('api', 1)).toBe(1)
  })

  test('secrets are long, private to owner and group, and none is used twice', () => {
    const originals = files().filter((file) => file.includes('/originals/') && !/hep\.(crt|key)$/.test(file))
    const values = originals.map((file) => readFileSync(file, 'utf8').trim())
    expect(values.every((value) => /^[0-9a-f]{32,64}$/.test(value))).toBe(true)
    expect(new Set(values).size).toBe(values.length)
    expect(files().filter((file) => (statSync(file).mode & 0o777) !== 0o440)).toEqual([])
    const folders = readdirSync(secretFolder).map((name) => statSync(join(secretFolder, name)).mode & 0o007)
    expect(folders.every((others) => others === 0)).toBe(true)
  })

  test('made again they are the same; one that was deleted is new everywhere, the others stay', () => {
    const contents = () =>
      new Map(files().map((file) => [file.slice(secretFolder.length), readFileSync(file, 'utf8')]))
    const before = contents()
    makeSecrets()
    expect(contents()).toEqual(before)
    rmSync(join(secretFolder, 'originals', 'agent_key'))
    makeSecrets()
    const changed = [...contents()]
      .filter(([file, content]) => before.get(file) !== content)
      .map(([file]) => file)
    expect(changed.sort()).toEqual(['/capture/agent_key', '/demo/agent_key', '/originals/agent_key'])
  })

  test('the API is told digests: of an admin for the operator, of a viewer for Grafana', () => {
    const { tokens } = readConfig(undefined, {
      TRUNKSCOPE_TOKENS_FILE: join(secretFolder, 'api', 'tokens'),
    })
    const digestOf = (...path: string[]) =>
      createHash('sha256')
        .update(readFileSync(join(secretFolder, ...path), 'utf8').trim())
        .digest('hex')
    expect(tokens).toEqual([
      { id: 'operator', sha256: digestOf('api', 'api_token'), role: 'admin' },
      { id: 'grafana', sha256: digestOf('grafana', 'api_token'), role: 'viewer' },
    ])
    expect(existsSync(join(secretFolder, 'api', 'api_tokens'))).toBe(false)
  })

  test('ClickHouse is told a hash, and the store no password but its own', () => {
    const users = readFileSync(join(secretFolder, 'clickhouse', 'trunkscope.xml'), 'utf8')
    const password = readFileSync(join(secretFolder, 'init', 'clickhouse_password'), 'utf8').trim()
    expect(users).not.toContain(password)
    const hash = execFileSync('openssl', ['dgst', '-sha256', '-r'], { input: password })
      .toString()
      .split(' ')[0]
    expect(users).toContain(`<password_sha256_hex>${hash}</password_sha256_hex>`)
    expect(readdirSync(join(secretFolder, 'store')).sort()).toEqual(['clickhouse_password', 'kafka_password'])
  })
})

describe('the checks of docker-compose.yml can fail', () => {
  type Change = (services: Record<string, ComposeService>, compose: Compose) => void
  const CHANGES: [what: string, change: Change, finding: string][] = [
    [
      'the tag latest',
      ({ kafka }) => (kafka!.image = 'apache/kafka:latest'),
      'kafka: image apache/kafka:latest has no version',
    ],
    [
      'no tag',
      ({ grafana }) => (grafana!.image = 'grafana/grafana'),
      'grafana: image grafana/grafana has no version',
    ],
    [
      'our image of another version',
      ({ api }) => (api!.image = 'trunkscope:0.0.1'),
      'api: image trunkscope:0.0.1 is not version',
    ],
    ['root', ({ capture }) => (capture!.user = '0:0'), 'capture: runs as root'],
    ['no user', ({ clickhouse }) => delete clickhouse!.user, 'clickhouse: runs as root'],
    [
      'a file system to write on',
      ({ kafka }) => (kafka!.read_only = false),
      'kafka: its file system is not read-only',
    ],
    ['a capability', ({ capture }) => (capture!.cap_add = ['NET_ADMIN']), 'capture: keeps capabilities'],
    ['privileges to gain', ({ api }) => (api!.security_opt = []), 'api: may gain privileges'],
    [
      'a published Kafka port',
      ({ kafka }) => (kafka!.ports = ['127.0.0.1:9092:9092']),
      'kafka: publishes 127.0.0.1:9092:9092',
    ],
    [
      'a published ClickHouse port',
      ({ clickhouse }) => (clickhouse!.ports = ['8123:8123']),
      'clickhouse: publishes 8123:8123',
    ],
    [
      'the page for everybody',
      ({ api }) => (api!.ports = ['8080:8080']),
      'api: publishes 8080:8080 to other machines',
    ],
    [
      'a file that is not there',
      ({ kafka }) => (kafka!.volumes = ['./deploy/kafkas:/etc/trunkscope:ro']),
      'kafka: mounts ./deploy/kafkas',
    ],
    [
      'a repository to write into',
      ({ api }) => (api!.volumes = ['./deploy/config:/etc/trunkscope']),
      'api: may write into the repository',
    ],
    [
      'an undeclared volume',
      ({ kafka }) => (kafka!.volumes = ['kafka-date:/var/lib/kafka/data']),
      'kafka: mounts the volume kafka-date',
    ],
    [
      'secrets without nocopy',
      ({ api }) => (api!.volumes = ['api-secrets:/run/trunkscope:ro']),
      'api: mounts api-secrets without ro,nocopy',
    ],
    ['an undeclared network', ({ api }) => (api!.networks = ['www']), 'api: network www is not declared'],
    ['the default network', ({ api }) => delete api!.networks, 'api: is in no network'],
    [
      'a dependency that is no service',
      ({ api }) => (api!.depends_on = { db: { condition: 'service_healthy' } }),
      'api: depends on db',
    ],
    [
      'a dependency on a profile',
      ({ api }) => (api!.depends_on = { demo: { condition: 'service_started' } }),
      'api: depends on demo, which is off',
    ],
    [
      'health of what has none',
      ({ api }) => (api!.depends_on = { init: { condition: 'service_healthy' } }),
      'api: waits for the health of init',
    ],
    [
      'the end of what does not end',
      ({ api }) => (api!.depends_on = { kafka: { condition: 'service_completed_successfully' } }),
      'api: waits for the end of kafka',
    ],
    ['no health check', ({ kafka }) => delete kafka!.healthcheck, 'kafka: has no health check'],
    [
      'another port for health',
      ({ api }) => (api!.command = ['api', '--http', '0.0.0.0:8081']),
      'api: its health check asks port 8080, it listens on 8081',
    ],
    [
      'a password in the file',
      ({ api }) => (api!.environment!.TRUNKSCOPE_TOKENS = 'letmein'),
      'api: TRUNKSCOPE_TOKENS has its value in the file',
    ],
    [
      'a long secret under another name',
      ({ api }) => (api!.command = ['api', 'ab'.repeat(16)]),
      'api: a value looks like a secret',
    ],
    ['a volume for nobody', (_, compose) => (compose.volumes.spare = {}), 'volume spare is used by nobody'],
    [
      'a network for nobody',
      (_, compose) => (compose.networks.spare = {}),
      'network spare is used by nobody',
    ],
  ]

  test.each(CHANGES)('%s is found', (_, change, finding) => {
    const compose = readCompose(text)
    // Anchors are shared objects: a change is to reach one service only.
    for (const [name, service] of services(compose)) compose.services[name] = structuredClone(service)
    change(compose.services, compose)
    const found = checkCompose(compose, surroundings)
    expect(found.some((one) => one.startsWith(finding))).toBe(true)
  })

  test('a variable with a slip is found', () => {
    const compose = readCompose(text.replace('TRUNKSCOPE_KAFKA_BROKERS', 'TRUNKSCOPE_KAFKA_BROKER'))
    expect(unknownVariables(compose)).toContain(
      'capture: TRUNKSCOPE_KAFKA_BROKER is no variable of the program',
    )
  })

  test.each([
    ['an unknown option', 'store-1', ['store', '--confg', '/etc/trunkscope/trunkscope.yaml']],
    ['an unknown command', 'store-1', ['stores']],
    ['a configuration that is not there', 'store-1', ['store', '--config', '/etc/trunkscope/other.yaml']],
    ['HTTP for everybody without tokens', 'store-1', ['store', '--http', '0.0.0.0:8080']],
  ])('%s is refused by the program', async (_, name, command) => {
    const compose = readCompose(text)
    expect(await runService({ ...compose.services[name]!, command }, compose)).toContain('exit code 2')
  })
})

describe('Dockerfile', () => {
  const instructions = dockerfile
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line !== '')
  const all = (word: string) =>
    instructions
      .filter((line) => line.startsWith(`${word} `))
      .map((line) => line.slice(word.length + 1).trim())

  test('is built on a pinned Debian Node that the package runs on', () => {
    const [, image = ''] = /^ARG NODE_IMAGE=(\S+)$/m.exec(dockerfile) ?? []
    expect(image).toMatch(/^node:\d+\.\d+\.\d+-bookworm-slim$/)
    expect(all('FROM').every((from) => from.startsWith('${'.concat('NODE_IMAGE}')))).toBe(true)
    const [oldest, ours] = [packageJson.engines.node, image].map((one) =>
      /(\d+)\.(\d+)/.exec(one)!.slice(1).map(Number),
    )
    expect(ours![0]! > oldest![0]! || (ours![0] === oldest![0] && ours![1]! >= oldest![1]!)).toBe(true)
  })

  test('copies what is there, and nothing that .dockerignore leaves out', () => {
    const sources = all('COPY')
      .filter((copy) => !copy.startsWith('--from'))
      .flatMap((copy) => copy.split(/\s+/).slice(0, -1))
    expect(sources).toContain('deploy/secrets.sh')
    expect(sources.filter((path) => !existsSync(path))).toEqual([])
    const ignored = readFileSync('.dockerignore', 'utf8').split('\n').filter(Boolean)
    expect(
      sources.filter((path) => ignored.some((entry) => path === entry || path.startsWith(`${entry}/`))),
    ).toEqual([])
    for (const secret of ['.git', '**/node_modules', 'trunkscope-data']) expect(ignored).toContain(secret)
    // The build reads these.
    for (const path of ['.ci', 'bin', 'schemas', 'tsconfig.json']) expect(ignored).not.toContain(path)
  })

  test('ends as a user without rights, starts the program, and brings no secret', () => {
    expect(all('USER').at(-1)).toBe('node')
    expect(all('ENTRYPOINT')).toEqual(['["node", "/trunkscope/dist/bin/trunkscope.js"]'])
    expect(existsSync('bin/trunkscope.ts')).toBe(true)
    expect([...all('ENV'), ...all('ARG')].filter((line) => /password|token|secret|key/i.test(line))).toEqual(
      [],
    )
  })

  test('exposes what the roles listen on, and owns the folders that volumes are mounted on', () => {
    const compose = readCompose(text)
    const published = ['capture', 'api'].flatMap((name) => portsOf(compose.services[name]!))
    expect(all('EXPOSE')[0]?.split(' ').sort()).toEqual(
      published.map(({ port, protocol }) => `${port}/${protocol}`).sort(),
    )
    const [, folders = ''] = /for reader in ([\w ]+);/.exec(dockerfile) ?? []
    const mounted = compose.services.secrets!.volumes!.map((volume) => volume.split(':/secrets/')[1])
    expect(folders.trim().split(' ').sort()).toEqual(mounted.sort())
    expect(dockerfile).toContain('--owner=1000 --group=10001')
    expect(compose.services.secrets!.user).toBe('1000:10001')
    expect(services(compose).every(([, { group_add }]) => group_add?.includes('10001'))).toBe(true)
  })
})
