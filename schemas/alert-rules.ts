/** `alerts` of trunkscope.yaml: on what somebody is told, how urgently, and where. */
import { z } from 'zod'

export const alertsSchema = z.strictObject({}).prefault({})
