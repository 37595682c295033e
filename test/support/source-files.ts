/** The source of the project, parsed: what `test/tidy.test.ts` reads. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import ts from 'typescript'

export interface SourceFile {
  /** From the root of the project, with forward slashes. */
  path: string
  text: string
  tree: ts.SourceFile
  /** Modules as written: './x.js', 'node:fs', 'zod'. */
  imports: string[]
  /** The same with relative ones as paths from the root: 'schemas/config.ts'. */
  importedPaths: string[]
}

export const SOURCE_FOLDERS = ['api', 'bin', 'collector', 'dashboards', 'evidence', 'schemas', 'sip']

export function sourceFiles(...folders: string[]): SourceFile[] {
  return folders.flatMap((folder) => pathsIn(folder, '.ts')).map(parse)
}

export function pathsIn(folder: string, extension: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(extension))
    .map((entry) => join(entry.parentPath, entry.name).replaceAll('\\', '/'))
    .sort()
}

export function parse(path: string): SourceFile {
  const text = readFileSync(path, 'utf8')
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true)
  const imports: string[] = []
  visit(tree, (node) => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
      if (node.moduleSpecifier !== undefined && ts.isStringLiteral(node.moduleSpecifier)) {
        imports.push(node.moduleSpecifier.text)
      }
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [module] = node.arguments
      if (module !== undefined && ts.isStringLiteral(module)) imports.push(module.text)
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      const { literal } = node.argument
      if (ts.isStringLiteral(literal)) imports.push(literal.text)
    }
  })
  const importedPaths = imports.map((module) =>
    module.startsWith('.') ? posix.join(dirname(path), module).replace(/\.js$/, '.ts') : module,
  )
  return { path, text, tree, imports, importedPaths }
}

export function visit(node: ts.Node, see: (node: ts.Node) => void): void {
  see(node)
  node.forEachChild((child) => visit(child, see))
}

export function lineOf(file: SourceFile, node: ts.Node): number {
  return file.tree.getLineAndCharacterOfPosition(node.getStart(file.tree)).line + 1
}

/** Lines of a node, its leading comment not counted. */
export function lineCount(file: SourceFile, node: ts.Node): number {
  const { line } = file.tree.getLineAndCharacterOfPosition(node.getEnd())
  return line + 1 - lineOf(file, node) + 1
}
