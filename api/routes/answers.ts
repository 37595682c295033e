/** Schemas that many routes share. */
import { z } from 'zod'

export const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number(),
    detail: z.string().describe('What is wrong with this request, and what to write instead.'),
    code: z.string(),
    parameter: z.string().optional(),
    suggestions: z.array(z.string()).optional(),
  })
  .meta({ title: 'Problem (RFC 9457)' })

export const problems = { 400: problem, 401: problem, 403: problem, 429: problem, 503: problem } as const

/** A parameter that may stand once; when it stands twice the route says so. */
export const one = (description: string, example?: string) =>
  z
    .union([z.string(), z.array(z.string())])
    .optional()
    .meta({
      description,
      anyOf: undefined,
      type: 'string',
      ...(example === undefined ? {} : { examples: [example] }),
    })

/** A parameter that may be repeated or hold a comma list. */
export const many = (description: string, choices?: readonly string[]) =>
  z
    .union([z.string(), z.array(z.string())])
    .optional()
    .meta({
      description: `${description} Repeat it, or write a comma list.`,
      anyOf: undefined,
      type: 'array',
      items: choices === undefined ? { type: 'string' } : { type: 'string', enum: [...choices] },
    })

export const rangeParameters = {
  from: one('Start, RFC 3339 or unix seconds. Default: an hour before `to`.', '2026-11-20T00:00:00Z'),
  to: one(
    'End, not part of the range. Default: the end of the minute that runs now.',
    '2026-11-21T00:00:00Z',
  ),
}
