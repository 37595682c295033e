// tidy: tested by test/pipeline/real-capture.test.ts
/** From the configuration and the command line to what the capture thread is started and reloaded with. */
import type { CaptureOptions } from '../../collector/capture/capture.js'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import type { ListenOptions } from '../commands/options.js'
import { captureSettings } from '../connect/capture-settings.js'

export function captureOptions(
  config: TrunkscopeConfig,
  listen: Pick<ListenOptions, 'hepUdp' | 'hepTcp' | 'hepTls'>,
  spoolFolder: string,
): Omit<CaptureOptions, 'onFatal'> {
  return {
    ...captureSettings(config),
    spoolFolder,
    udp: listen.hepUdp,
    tcp: listen.hepTcp,
    tls: listen.hepTls,
    receiveBufferBytes: config.capture.receive_buffer_bytes,
    tcpConnectionsMax: config.capture.tcp_connections_max,
    tcpConnectionsPerAddressMax: config.capture.tcp_connections_per_address_max,
    spoolSizeMaxBytes: config.spool.size_max_bytes,
  }
}
