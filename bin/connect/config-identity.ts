/**
 * What makes no sense under `identity` of a configuration: fetching from nobody, hosts of whom nothing is fetched, roots with
 * nothing to judge. Looks at the data as written; what has the wrong shape is passed over here.
 */
import { type Mistake, valueAt } from './config-shape.js'

export function identityMistakes(data: unknown): Mistake[] {
  const fetch = valueAt(data, ['identity', 'fetch', 'enabled']) === true
  const hosts = valueAt(data, ['identity', 'fetch', 'hosts'])
  const isListed = Array.isArray(hosts) && hosts.length > 0
  const found: Mistake[] = []
  if (fetch && !isListed) {
    found.push({
      code: 'TRUNKSCOPE_CONFIG_MISSING_KEY',
      path: ['identity', 'fetch', 'hosts'],
      problem:
        'is missing, and nobody is asked who is not listed; add hosts: [certificates.example.org], with the hosts of ' +
        'the x5u that you trust',
    })
  }
  if (!fetch && isListed) {
    found.push({
      code: 'TRUNKSCOPE_CONFIG_BAD_VALUE',
      path: ['identity', 'fetch', 'hosts'],
      problem: 'is a list, and nothing is fetched; write enabled: true beside it, or remove hosts',
    })
  }
  const folder = valueAt(data, ['identity', 'certificates'])
  if (valueAt(data, ['identity', 'roots']) !== undefined && folder === undefined && !fetch) {
    found.push({
      code: 'TRUNKSCOPE_CONFIG_BAD_VALUE',
      path: ['identity', 'roots'],
      problem:
        'judges nothing: no certificates are at hand; add identity.certificates, a folder of PEM files, or remove roots',
    })
  }
  return found
}
