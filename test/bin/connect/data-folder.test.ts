import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ts from 'typescript'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import { type DataFolderError, openDataFolder } from '../../../bin/connect/data-folder.js'

/** What other processes do between our look at the locks and our own lock. */
const meanwhile = vi.hoisted(() => ({ once: undefined as (() => void) | undefined }))
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>()
  return {
    ...fs,
    linkSync: (from: string, to: string) => {
      const act = meanwhile.once
      meanwhile.once = undefined
      act?.()
      fs.linkSync(from, to)
    },
  }
})

const scratch = mkdtempSync(join(tmpdir(), 'trunkscope-lock-'))
const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})
afterAll(() => rmSync(scratch, { recursive: true }))

// Processes of their own need JavaScript: the one file under test, without its types.
const source = readFileSync('bin/connect/data-folder.ts', 'utf8')
const target = ts.ScriptTarget.ES2022
writeFileSync(
  join(scratch, 'data-folder.mjs'),
  ts.transpileModule(source, { compilerOptions: { target, module: ts.ModuleKind.ES2022 } }).outputText,
)
/** Opens the folder, says how that went, and gives it back when told to. */
writeFileSync(
  join(scratch, 'opener.mjs'),
  `import { openDataFolder } from './data-folder.mjs'
  try {
    const folder = openDataFolder(process.argv[2])
    console.log('held')
    process.stdin.once('data', () => { folder.release(); console.log('released') })
  } catch (error) {
    console.log(error.code + ' ' + error.message)
    process.exit(1)
  }`,
)
/** Takes and gives back the folder again and again, and looks whether it was alone. */
writeFileSync(
  join(scratch, 'rival.mjs'),
  `import { mkdirSync, rmdirSync } from 'node:fs'
  import { openDataFolder } from './data-folder.mjs'
  const alone = process.argv[2] + '/alone'
  let held = 0
  for (const end = Date.now() + 1500; Date.now() < end; ) {
    let folder
    try { folder = openDataFolder(process.argv[2]) } catch (error) {
      if (error.code !== 'TRUNKSCOPE_DATA_IN_USE') throw error
      continue
    }
    mkdirSync(alone)
    rmdirSync(alone)
    held++
    folder.release()
  }
  console.log(held)`,
)

let folders = 0
function newFolder(): string {
  folders++
  return join(scratch, `data-${folders}`)
}

function startProcess(script: string, folder: string) {
  const child = spawn(process.execPath, [join(scratch, script), folder], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  children.push(child)
  const firstLine = once(child.stdout, 'data').then(([data]) => String(data).trim())
  return { child, firstLine }
}

function errorOf(open: () => unknown): DataFolderError {
  try {
    open()
  } catch (error) {
    return error as DataFolderError
  }
  throw new Error('the folder was opened')
}

function lockFiles(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.startsWith('lock-'))
}

describe('data folder', () => {
  test('is made with its parents for its owner only', () => {
    const path = join(newFolder(), 'a', 'b')
    const folder = openDataFolder(path)
    expect(folder.path).toBe(path)
    expect(statSync(path).mode & 0o777).toBe(0o700)
    expect(statSync(join(path, lockFiles(path)[0]!)).mode & 0o777).toBe(0o600)
    folder.release()
  })

  test('a second process is refused, with the pid of the first and what to do', async () => {
    const path = newFolder()
    const first = startProcess('opener.mjs', path)
    expect(await first.firstLine).toBe('held')
    const error = errorOf(() => openDataFolder(path))
    expect(error.code).toBe('TRUNKSCOPE_DATA_IN_USE')
    expect(error.message).toContain(`process ${first.child.pid}, uses the data folder ${path}`)
    expect(error.fix).toMatch(/--data DIR/)
    expect(await startProcess('opener.mjs', path).firstLine).toMatch(/^TRUNKSCOPE_DATA_IN_USE/)
  })

  test('the same process is refused a second time, and served again after release', () => {
    const path = newFolder()
    const folder = openDataFolder(path)
    expect(errorOf(() => openDataFolder(path)).message).toContain('This process')
    folder.release()
    folder.release()
    const again = openDataFolder(path)
    folder.release()
    expect(errorOf(() => openDataFolder(path)).code).toBe('TRUNKSCOPE_DATA_IN_USE')
    again.release()
  })

  test('a released folder is free for another process', async () => {
    const path = newFolder()
    const first = startProcess('opener.mjs', path)
    await first.firstLine
    first.child.stdin!.write('release\n')
    await once(first.child.stdout!, 'data')
    openDataFolder(path).release()
  })

  test('the lock of a process that was killed with -9 is taken over, and one lock file remains', async () => {
    const path = newFolder()
    for (let round = 0; round < 5; round++) {
      const { child, firstLine } = startProcess('opener.mjs', path)
      expect(await firstLine).toBe('held')
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    const folder = openDataFolder(path)
    expect(lockFiles(path)).toHaveLength(1)
    folder.release()
  })

  test('a lock whose process id now belongs to another process, or another boot, is taken over', () => {
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    for (const owner of [
      { pid: process.pid, startTime: '1', bootId, token: 'x' },
      { pid: process.pid, startTime: '', bootId: 'an earlier boot', token: 'x' },
    ]) {
      const path = newFolder()
      mkdirSync(path)
      writeFileSync(join(path, 'lock-41'), JSON.stringify(owner))
      const folder = openDataFolder(path)
      expect(lockFiles(path)).toEqual(['lock-42'])
      folder.release()
    }
  })

  test('a lock file cut short by a power cut, and drafts of killed starters, are in nobody’s way', () => {
    const path = newFolder()
    mkdirSync(path)
    writeFileSync(join(path, 'lock-7'), '{"pid":1')
    writeFileSync(join(path, 'lock-draft-abc'), '')
    openDataFolder(path).release()
    expect(lockFiles(path)).toEqual(['lock-8'])
  })

  test('of many processes that find a stale lock at once exactly one gets the folder', async () => {
    const path = newFolder()
    for (let round = 0; round < 3; round++) {
      const rivals = Array.from({ length: 6 }, () => startProcess('opener.mjs', path))
      const answers = await Promise.all(rivals.map(({ firstLine }) => firstLine))
      expect(answers.filter((answer) => answer === 'held')).toHaveLength(1)
      expect(answers.filter((answer) => answer.startsWith('TRUNKSCOPE_DATA_IN_USE'))).toHaveLength(5)
      await Promise.all(
        rivals.map(async ({ child }) => {
          if (child.exitCode !== null || child.signalCode !== null) return
          child.kill('SIGKILL')
          await once(child, 'exit')
        }),
      )
    }
  })

  test('processes that take and release it as fast as they can are never in it together', async () => {
    const path = newFolder()
    const rivals = Array.from({ length: 4 }, () => startProcess('rival.mjs', path))
    const held = await Promise.all(
      rivals.map(async ({ child, firstLine }) => {
        const [code] = (await once(child, 'exit')) as [number]
        expect(code).toBe(0)
        return Number(await firstLine)
      }),
    )
    expect(held.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(50)
  })

  test('a starter that was overtaken twice while it looked steps back before the one that has the folder', async () => {
    const path = newFolder()
    const elsewhere = newFolder()
    const other = startProcess('opener.mjs', elsewhere)
    expect(await other.firstLine).toBe('held')
    mkdirSync(path)
    writeFileSync(join(path, 'lock-5'), 'null')
    meanwhile.once = () => {
      // One took number 6 and gave it back; another has number 7 and cleared the lower ones away.
      rmSync(join(path, 'lock-5'))
      writeFileSync(join(path, 'lock-7'), readFileSync(join(elsewhere, 'lock-1')))
    }
    expect(errorOf(() => openDataFolder(path)).message).toContain(`process ${other.child.pid}`)
    expect(lockFiles(path)).toEqual(['lock-7'])
  })

  test('a starter whose draft was cleared away by the new owner looks again', async () => {
    const path = newFolder()
    mkdirSync(path)
    meanwhile.once = () => {
      for (const name of lockFiles(path)) rmSync(join(path, name))
    }
    openDataFolder(path).release()
    expect(lockFiles(path)).toEqual(['lock-1'])
  })

  test('a folder that cannot be made says which option chooses another', () => {
    const path = newFolder()
    writeFileSync(path, 'a file')
    const error = errorOf(() => openDataFolder(join(path, 'data')))
    expect(error.code).toBe('TRUNKSCOPE_DATA_UNUSABLE')
    expect(error.fix).toContain('--data DIR')
  })
})
