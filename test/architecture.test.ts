/** Holds the sources to ARCHITECTURE.md: who may import whom, who may touch the system, how long a file may be. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative, sep } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const MAX_LINES = 400;

/** Files that may be longer than MAX_LINES, each with its reason. */
const LONG_FILES: Readonly<Record<string, string>> = {};

interface Layer {
  readonly folder: string;
  readonly mayImport: ReadonlySet<string>;
}

/** The rows of the import table, in order: `| \`name/\` | holds | a, b |`. */
function layersOf(markdown: string): readonly Layer[] {
  const layers: Layer[] = [];
  let inTable = false;
  for (const line of markdown.split('\n')) {
    if (line.startsWith('| folder (src/)')) inTable = true;
    else if (inTable && !line.startsWith('|')) break;
    const row = /^\| `(\w+)\/` \|.*\| ([^|]+) \|$/.exec(line);
    if (!inTable || row === null) continue;
    const [, folder = '', list = ''] = row;
    const names =
      list === 'nothing' ? [] : list === 'everything above' ? layers.map((layer) => layer.folder) : list.split(', ');
    layers.push({ folder, mayImport: new Set(names.map((name) => name.trim())) });
  }
  return layers;
}

interface SourceFile {
  /** Relative to the repository, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

function sourcesBelow(folder: string): readonly SourceFile[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return { path: relative(ROOT, path).split(sep).join('/'), text: readFileSync(path, 'utf8') };
    })
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Every module a file names: static, re-exported, side effect and dynamic imports. */
function importsOf(text: string): readonly string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  const found = code.matchAll(/(?:\bfrom\s+|\bimport\s+|\bimport\(\s*)(['"])([^'"\n]+)\1/g);
  return [...found].map((match) => match[2] ?? '');
}

const layers = layersOf(readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8'));
const sources = sourcesBelow('src');
const production = sources.filter((file) => !file.path.endsWith('.test.ts'));

function layerOf(path: string): string {
  return path.split('/')[1] ?? '';
}

describe('the import table of ARCHITECTURE.md', () => {
  it('names every folder of src/ and no folder twice', () => {
    const folders = readdirSync(join(ROOT, 'src'), { withFileTypes: true }).map((entry) => entry.name);
    const named = layers.map((layer) => layer.folder);
    expect(new Set(named).size).toBe(named.length);
    expect(folders.filter((folder) => !named.includes(folder))).toEqual([]);
    for (const layer of layers) expect([...layer.mayImport].filter((name) => !named.includes(name))).toEqual([]);
  });

  it.each(layers)('$folder/ imports only what its row allows', ({ folder, mayImport }) => {
    const wrong: string[] = [];
    for (const file of production.filter((candidate) => layerOf(candidate.path) === folder)) {
      for (const name of importsOf(file.text).filter((candidate) => candidate.startsWith('.'))) {
        const target = normalize(join(dirname(file.path), name))
          .split(sep)
          .join('/');
        const to = layerOf(target);
        if (!target.startsWith('src/') || (to !== folder && !mayImport.has(to))) wrong.push(`${file.path} -> ${name}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('lets only kernel/ and what stands on it use the system', () => {
    const firstPrivileged = layers.findIndex((layer) => layer.folder === 'kernel');
    const pure = new Set(layers.slice(0, firstPrivileged).map((layer) => layer.folder));
    const wrong = production
      .filter((file) => pure.has(layerOf(file.path)))
      .flatMap((file) =>
        importsOf(file.text)
          .filter((name) => !name.startsWith('.'))
          .map((name) => `${file.path} -> ${name}`),
      );
    expect(wrong).toEqual([]);
  });

  it('keeps the foreign function interface in one file', () => {
    const users = [...sources, ...sourcesBelow('test'), ...sourcesBelow('bench')]
      .filter((file) => importsOf(file.text).some((name) => name === 'koffi' || name.startsWith('koffi/')))
      .map((file) => file.path);
    expect(users).toEqual(users.length === 0 ? [] : ['src/kernel/syscall.ts']);
  });
});

describe('house rules', () => {
  const all = [...sources, ...sourcesBelow('test'), ...sourcesBelow('bench')];

  it('no file is longer than the limit without a reason', () => {
    const long = all
      .filter((file) => file.text.split('\n').length - 1 > MAX_LINES && LONG_FILES[file.path] === undefined)
      .map((file) => `${file.path}: ${file.text.split('\n').length - 1} lines`);
    expect(long).toEqual([]);
  });

  it('nothing is exported by default', () => {
    expect(all.filter((file) => /^export default\b/m.test(file.text)).map((file) => file.path)).toEqual([]);
  });

  it('relative imports name the .ts file', () => {
    const wrong = all.flatMap((file) =>
      importsOf(file.text)
        .filter((name) => name.startsWith('.') && !name.endsWith('.ts'))
        .map((name) => `${file.path} -> ${name}`),
    );
    expect(wrong).toEqual([]);
  });
});
