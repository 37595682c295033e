/** A call to take away: as pcap, and as text. */
import { z } from 'zod'
import { PCAP_TYPE, pcapExport } from '../attempts/pcap.js'
import { textExport } from '../attempts/text-export.js'
import { type App, type RouteDeps, seenBy } from '../deps.js'
import { problem, problems } from './answers.js'

const EXPORTS = [
  {
    path: 'pcap',
    action: 'pcap',
    type: PCAP_TYPE,
    operationId: 'attempt_pcap',
    summary: 'The messages of the call as pcap, over the legs that share its Call-ID',
    exportOf: pcapExport,
  },
  {
    path: 'messages.txt',
    action: 'text',
    type: 'text/plain; charset=utf-8',
    operationId: 'attempt_text',
    summary: 'The messages of the call as text, over the legs that share its Call-ID',
    exportOf: textExport,
  },
] as const

export function callExportRoutes(app: App, deps: RouteDeps): void {
  for (const { path, action, type, operationId, summary, exportOf } of EXPORTS) {
    app.get(
      `/v1/attempts/:id/${path}`,
      {
        config: { role: 'investigator', audit: action },
        schema: {
          operationId,
          summary,
          description:
            'As stored: credentials and keys are blanked. The header trunkscope-messages-cut: true says that there are more.',
          params: z.object({ id: z.string().describe('attempt_id: 32 hex digits.') }),
          querystring: z.strictObject({}),
          produces: [type],
          response: { 200: z.unknown().describe('The file.'), ...problems, 404: problem },
        },
      },
      async (request, reply) => {
        const { readers } = seenBy(deps, request.principal)
        const { fileName, body, isCut, messages, carrier } = await exportOf(readers, request.params.id)
        Object.assign(request.audited, { rows: messages, carrier })
        if (isCut) reply.header('trunkscope-messages-cut', 'true')
        return reply.type(type).header('content-disposition', `attachment; filename="${fileName}"`).send(body)
      },
    )
  }
}
