/** `sinks` of trunkscope.yaml: where alerts go. */
import { z } from 'zod'

export const sinksSchema = z.array(z.strictObject({ id: z.string() })).default([])
