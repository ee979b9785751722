// The benchmarks that are C programs, and what they print.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { memoryFolder, programsFolder, scratchFolder } from './places.mjs';

/** Runs a program that wants a directory, which is new, as its first argument. */
export async function runProgram(name, args = [], scratch = scratchFolder) {
  const folder = join(scratch, name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const child = spawn(join(programsFolder, name), [folder, ...args.map(String)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (text) => { output += text; });
  const [code] = await once(child, 'close');
  rmSync(folder, { recursive: true, force: true });
  // 1 is how hit_ratio says that a goal is missed; the table says it too.
  if (code !== 0 && code !== 1) throw new Error(`${name} ended with exit code ${code}`);
  return output;
}

const cells = (line) => line.split('|').slice(1, -1).map((cell) => cell.trim());
const isRule = (row) => row.every((cell) => /^:?-+:?$/.test(cell));

/** Every Markdown table of a text: {title, head, lines}; the title is the text before it. */
export function parseTables(text) {
  const tables = [];
  let title = '';
  let open = false;
  for (const line of text.split('\n')) {
    if (!line.startsWith('|')) {
      if (line.trim()) title = line.trim();
      open = false;
      continue;
    }
    const row = cells(line);
    if (!open) tables.push({ title, head: row, lines: [] });
    else if (!isRule(row)) tables.at(-1).lines.push(row);
    open = true;
  }
  return tables;
}

let stores;

const brief = ({ smoke }) => (smoke ? ['--short'] : []);

/** What store_bench prints: two rows of the goals are read from one run of it. */
export function storeTables(sizes) {
  stores ??= runProgram('store_bench', brief(sizes)).then(parseTables);
  return stores;
}

/** Its first table in a file system that lives in memory. */
export async function storeTableInMemory(sizes) {
  const output = await runProgram('store_bench', [...brief(sizes), '--warm'], memoryFolder);
  return parseTables(output)[0];
}

/** The column of a table that is called `name`, as numbers. */
export const numbersOf = ({ head, lines }, name) => lines.map((line) => Number.parseFloat(line[head.indexOf(name)]));
