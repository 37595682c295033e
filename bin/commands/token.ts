/**
 * `trunkscope token`: makes a token of the API. It is shown once; what is kept is the YAML with its SHA-256.
 *
 * The token is 256 random bits in base64url, with a mark before it by which a scanner for secrets knows it.
 */
import { createHash, randomBytes } from 'node:crypto'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { stringify } from 'yaml'
import { ROLES, type Role, type Token, tokenSchema } from '../../schemas/tokens.js'

const TOKEN_BYTES = 32

const HELP = `
The token stands on the first line, and nowhere else: put it where it is needed now. The rest is for trunkscope.yaml, under
tokens, or for the file of tokens_file. SIGHUP makes a running start or api read it.

  viewer         numbers of the network; telephone numbers masked, no texts of messages
  investigator   telephone numbers, messages, what was refused
  admin          everything

With --carriers it sees what is of these carriers, and nothing else. docs/access.md has the whole of it.

Examples:
  trunkscope token --id grafana --role viewer
  trunkscope token --id alpha-portal --role viewer --carriers alpha --expires 2027-01-01`

interface Given {
  id: string
  role: Role
  carriers?: string[]
  expires?: string
}

export function addTokenCommand(program: Command, write: (text: string) => void): void {
  program
    .command('token')
    .summary('make a token of the API')
    .description('Makes a random token of the API, and the lines of configuration that let it in.')
    .addOption(new Option('--id <ID>', 'what it is called in logs').argParser(parseId).makeOptionMandatory())
    .addOption(new Option('--role <ROLE>', 'what it may do').choices(ROLES).makeOptionMandatory())
    .addOption(
      new Option('--carriers <IDS>', 'the carriers it may see; all of them without').argParser(parseIds),
    )
    .addOption(
      new Option('--expires <TIME>', 'until when: 2027-01-01, or RFC 3339; for ever without').argParser(
        parseTime,
      ),
    )
    .addHelpText('after', HELP)
    .action((given: Given) => write(textOf(given, newToken())))
}

export function newToken(): string {
  return `trunkscope_${randomBytes(TOKEN_BYTES).toString('base64url')}`
}

function textOf({ id, role, carriers, expires }: Given, token: string): string {
  const entry: Token = {
    id,
    sha256: createHash('sha256').update(token).digest('hex'),
    role,
    ...(carriers === undefined ? {} : { carriers }),
    ...(expires === undefined ? {} : { expires }),
  }
  return `${token}\n\ntokens:\n${stringify([entry]).replace(/^(?=.)/gm, '  ')}`
}

function parseId(text: string): string {
  const { success, error } = tokenSchema.shape.id.safeParse(text)
  if (success) return text
  throw new InvalidArgumentError(`"${text}" ${error.issues[0]!.message}.`)
}

function parseIds(text: string): string[] {
  const ids = [...new Set(text.split(',').map((part) => part.trim()))].filter((part) => part !== '')
  if (ids.length > 0) return ids.map(parseId)
  throw new InvalidArgumentError('The list is empty. Write ids with commas, for example alpha,beta.')
}

/** A day is its first moment in UTC. */
function parseTime(text: string): string {
  const moment = /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text
  if (tokenSchema.shape.expires.safeParse(moment).success) return moment
  throw new InvalidArgumentError('Write a day or a moment, for example 2027-01-01 or 2027-01-01T18:00:00Z.')
}
