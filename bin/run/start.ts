// tidy: tested by test/pipeline/real-capture.test.ts
/** `trunkscope start`: the embedded mode on real agents. */
import type { StartOptions } from '../commands/options.js'
import { checkExposure } from '../connect/exposure.js'
import { type Embedded, startEmbedded } from './embedded.js'
import { processLog } from './log.js'
import { reloadOnHup } from './reload.js'
import { untilStopped } from './until-stopped.js'

export async function runStart(options: StartOptions): Promise<void> {
  const log = processLog()
  const embedded = await startEmbedded({ ...options, demo: false, log })
  reloadOnHup({
    configPath: options.configPath,
    read: options.readConfig,
    apply: async (config) => {
      // A key that is gone from the file must not leave a socket open to everybody.
      checkExposure(options, config)
      return embedded.reload(config)
    },
    log,
  })
  const say = (text: string) => process.stdout.write(`${text}\n`)
  say(banner(options, embedded))
  await untilStopped(embedded, say)
}

function banner(options: StartOptions, embedded: Embedded): string {
  const { hepUdp, hepTcp, hepTls, http } = embedded.listening
  const who =
    options.configPath === undefined ? 'no configuration: all traffic is "unknown"' : options.configPath
  return `Trunkscope is listening
  HEP udp   ${hepUdp}   receive buffer asked ${bytes(embedded.bufferAsked)}, granted ${bytes(embedded.bufferGranted)}${bufferHint(embedded)}
  HEP tcp   ${hepTcp}${hepTls === '' ? '' : `\n  HEP tls   ${hepTls}`}
  page      http://${http}/        API  http://${http}/v1/kpis        docs  http://${http}/openapi.json
  data      ${options.dataDir}
  network   ${who}

Point an agent at it:
  Kamailio  modparam("siptrace", "duplicate_uri", "sip:${hepUdp}")  with hep_mode_on=1, hep_version=3, trace_on=1, trace_mode=1
  heplify   heplify -i any -hs ${hepTcp} -nt tcp -hi 2001
  or replay trunkscope replay capture.hep --to udp://${hepUdp}
Ctrl-C stops it; what was accepted is stored first.`
}

/** Linux counts twice what was set: granted below twice the asked means the kernel cut it. */
function bufferHint(embedded: Embedded): string {
  if (embedded.bufferGranted >= embedded.bufferAsked) return ''
  return `\n            a burst may overflow it: sysctl -w net.core.rmem_max=${embedded.bufferAsked}`
}

const bytes = (count: number) =>
  count >= 1_048_576 ? `${(count / 1_048_576).toFixed(1)} MiB` : `${Math.round(count / 1_024)} KiB`
