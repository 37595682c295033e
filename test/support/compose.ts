/**
 * Reads a compose file as Docker would, and says what is wrong with it: for docker-compose.yml, which no engine runs in the
 * tests. Interpolation, merge keys and short forms are understood as far as that file uses them.
 *
 * Takes    the text, and for what reaches outside of it: which paths of the repository exist, and the secrets that
 *          deploy/secrets.sh made.
 * Returns  findings, one sentence each, that begin with the service; none when all is well.
 */
import { parse } from 'yaml'

export interface ComposeService {
  image?: string
  build?: string
  user?: string
  read_only?: boolean
  privileged?: boolean
  cap_drop?: string[]
  cap_add?: string[]
  security_opt?: string[]
  group_add?: string[]
  restart?: string
  profiles?: string[]
  entrypoint?: string[]
  command?: string[]
  environment?: Record<string, string>
  volumes?: string[]
  networks?: string[]
  network_mode?: string
  ports?: string[]
  depends_on?: Record<string, { condition: string }>
  healthcheck?: { test?: string[]; disable?: boolean }
}

export interface Compose {
  services: Record<string, ComposeService>
  networks: Record<string, { internal?: boolean }>
  volumes: Record<string, unknown>
}

export interface Surroundings {
  isFile(path: string): boolean
  /** Of the package: the tag of our own image. */
  version: string
}

const VARIABLE = /\$\{(\w+)(?:(:?-)([^}]*))?\}/g

/** Variables of the compose file, with their defaults; undefined where there is none. */
export function variablesOf(text: string): Map<string, string | undefined> {
  return new Map([...text.matchAll(VARIABLE)].map(([, name, , fallback]) => [name!, fallback]))
}

export function readCompose(text: string, env: Record<string, string> = {}): Compose {
  const interpolated = text.replace(VARIABLE, (_, name: string, operator: string, fallback: string) => {
    const value = env[name]
    const isSet = operator === '-' ? value !== undefined : value !== undefined && value !== ''
    return isSet ? value! : (fallback ?? '')
  })
  return parse(interpolated, { merge: true }) as Compose
}

/** Where HEP comes in from other machines; everything else is published on loopback. */
const HEP_PORTS = new Set(['9060', '9062'])
const NEVER_PUBLISHED = new Set(['kafka', 'clickhouse'])
const SECRET_NAME = /PASSWORD|TOKEN|SECRET|KEY/

export function checkCompose(compose: Compose, surroundings: Surroundings): string[] {
  const services = Object.entries(compose.services)
  return [
    ...services.flatMap(([name, service]) =>
      [
        ...image(service, surroundings.version),
        ...hardening(service),
        ...ports(name, service),
        ...mounts(service, compose, surroundings),
        ...memberships(service, compose),
        ...dependencies(service, compose),
        ...health(service),
        ...secrets(service),
      ].map((finding) => `${name}: ${finding}`),
    ),
    ...unused(compose),
  ]
}

function image({ image = '', build }: ComposeService, version: string): string[] {
  const [name, tag = ''] = image.split(/:(?=[^/]*$)/)
  if (!/^v?\d+\.\d+/.test(tag)) return [`image ${image} has no version as its tag`]
  if (name === 'trunkscope' && tag !== version)
    return [`image ${image} is not version ${version} of the package`]
  return (name === 'trunkscope') === (build !== undefined)
    ? []
    : [`image ${image} is ours and not built, or the reverse`]
}

function hardening(service: ComposeService): string[] {
  const findings: string[] = []
  if (service.user === undefined || /^(0|root)(:|$)/.test(service.user)) findings.push('runs as root')
  if (service.read_only !== true) findings.push('its file system is not read-only')
  if (service.cap_drop?.includes('ALL') !== true || service.cap_add !== undefined)
    findings.push('keeps capabilities')
  if (service.security_opt?.includes('no-new-privileges:true') !== true) findings.push('may gain privileges')
  if (service.privileged === true) findings.push('is privileged')
  return findings
}

/** "ADDRESS:HOST_PORT:CONTAINER_PORT[/PROTOCOL]" */
export function portsOf({ ports = [] }: ComposeService) {
  return ports.map((text) => {
    const [published = '', protocol = 'tcp'] = text.split('/')
    const parts = published.split(':')
    return {
      text,
      protocol,
      port: parts.at(-1)!,
      address: parts.length < 3 ? '0.0.0.0' : parts.slice(0, -2).join(':'),
    }
  })
}

function ports(name: string, service: ComposeService): string[] {
  return portsOf(service).flatMap(({ text, port, address }) => {
    if (NEVER_PUBLISHED.has(name)) return [`publishes ${text}`]
    const isHep = name === 'capture' && HEP_PORTS.has(port)
    return isHep || address === '127.0.0.1' ? [] : [`publishes ${text} to other machines`]
  })
}

function mountsOf({ volumes = [] }: ComposeService) {
  return volumes.map((text) => {
    const [source = '', target = '', options = ''] = text.split(':')
    return { text, source, target, options: options.split(',') }
  })
}

function mounts(service: ComposeService, compose: Compose, { isFile }: Surroundings): string[] {
  return mountsOf(service).flatMap(({ text, source, options }) => {
    if (source.startsWith('.')) {
      if (!isFile(source)) return [`mounts ${source}, which is not in the repository`]
      return options.includes('ro') ? [] : [`may write into the repository: ${text}`]
    }
    if (!(source in compose.volumes)) return [`mounts the volume ${source}, which is not declared`]
    // A volume filled by another service must not take over what this image has at its place.
    const isSecret = /-secrets$/.test(source) && !text.includes(':/secrets/')
    return isSecret && !(options.includes('ro') && options.includes('nocopy'))
      ? [`mounts ${source} without ro,nocopy`]
      : []
  })
}

function memberships({ networks, network_mode }: ComposeService, compose: Compose): string[] {
  if (network_mode === 'none') return []
  if (networks === undefined) return ['is in no network that is declared']
  return networks
    .filter((name) => !(name in compose.networks))
    .map((name) => `network ${name} is not declared`)
}

function dependencies({ depends_on = {}, profiles }: ComposeService, { services }: Compose): string[] {
  return Object.entries(depends_on).flatMap(([name, { condition }]) => {
    const other = services[name]
    if (other === undefined) return [`depends on ${name}, which is no service`]
    if (other.profiles !== undefined && profiles === undefined)
      return [`depends on ${name}, which is off by default`]
    switch (condition) {
      case 'service_healthy':
        return other.healthcheck?.test === undefined
          ? [`waits for the health of ${name}, which has no check`]
          : []
      case 'service_completed_successfully':
        return other.restart === 'no' ? [] : [`waits for the end of ${name}, which does not end`]
      default:
        return [`condition ${condition} is none that is used here`]
    }
  })
}

/** One that ends needs none; of the others each has a check, or says that it has none. */
function health({ healthcheck, restart, command = [] }: ComposeService): string[] {
  if (healthcheck?.disable === true || restart === 'no') return []
  if (healthcheck?.test === undefined) return ['has no health check']
  const [, port] = /http:\/\/127\.0\.0\.1:(\d+)\/readyz/.exec(healthcheck.test.join(' ')) ?? []
  const [, listening] = /--http[ =]\S*:(\d+)/.exec(command.join(' ')) ?? []
  if (port === listening) return []
  return [`its health check asks port ${port ?? 'none'}, it listens on ${listening ?? 'none'}`]
}

/** A secret stands in a file under /run/trunkscope, never here. */
function secrets({ environment = {}, command = [] }: ComposeService): string[] {
  const literals = Object.entries(environment).filter(
    ([name, value]) => SECRET_NAME.test(name) && !(String(value) === '' || String(value).startsWith('/')),
  )
  const long = [...Object.values(environment), ...command].filter((text) =>
    /\b[0-9a-f]{32,}\b/i.test(String(text)),
  )
  return [
    ...literals.map(([name]) => `${name} has its value in the file`),
    ...long.map(() => 'a value looks like a secret'),
  ]
}

function unused({ services, networks, volumes }: Compose): string[] {
  const mounted = new Set(
    Object.values(services).flatMap((service) => mountsOf(service).map(({ source }) => source)),
  )
  const joined = new Set(Object.values(services).flatMap((service) => service.networks ?? []))
  return [
    ...Object.keys(volumes)
      .filter((name) => !mounted.has(name))
      .map((name) => `volume ${name} is used by nobody`),
    ...Object.keys(networks)
      .filter((name) => !joined.has(name))
      .map((name) => `network ${name} is used by nobody`),
  ]
}

/** Where a path of a container lies outside of it: the folder that is bound there, or that the secrets job fills. */
export function hostPath(
  path: string,
  service: ComposeService,
  compose: Compose,
  secretFolder: string,
): string {
  for (const { source, target } of mountsOf(service)) {
    if (path !== target && !path.startsWith(`${target}/`)) continue
    const below = path.slice(target.length)
    if (source.startsWith('.')) return source + below
    const filled = mountsOf(compose.services.secrets!).find((mount) => mount.source === source)
    if (filled !== undefined) return filled.target.replace('/secrets', secretFolder) + below
  }
  return path
}
