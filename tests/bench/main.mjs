// Runs the rows that are asked for, and writes what they found; see run.
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { document, rowText } from './lib/report.mjs';
import { draw } from './lib/plots.mjs';
import { killSubjects } from './lib/subject-process.mjs';
import { loadRow, ROWS, runRow } from './lib/rows.mjs';
import { machine } from './lib/machine.mjs';
import { Redis } from './lib/redis.mjs';
import { busyShare, waitForQuiet } from './lib/quiet.mjs';
import { memoryFolder, rootFolder, scratchFolder, workFolder } from './lib/places.mjs';

const ROUNDS = 15;
const USAGE = 'usage: run [--smoke] [--rounds N] [--list] [ROW...]';

function fail(text) {
  console.error(text);
  process.exit(2);
}

function readArguments(list) {
  const options = { smoke: false, rounds: undefined, list: false, rows: [] };
  for (let at = 0; at < list.length; at += 1) {
    if (list[at] === '--smoke') options.smoke = true;
    else if (list[at] === '--list') options.list = true;
    else if (list[at] === '--rounds' && Number(list[at + 1]) >= 1) options.rounds = Math.floor(Number(list[(at += 1)]));
    else if (ROWS.includes(list[at])) options.rows.push(list[at]);
    else fail(`${USAGE}\nwhere ROW is one of ${ROWS.join(' ')}`);
  }
  return options;
}

async function list() {
  const rows = await Promise.all(ROWS.map(loadRow));
  console.log(rows.map(({ name, title, long }) => `${name.padEnd(18)} ${title}${long ? ' (not in the smoke form)' : ''}`).join('\n'));
}

/** Writes the document, with its plots beside it. */
async function write(file, all, about) {
  const plots = new Map();
  const folder = file.replace(/\.md$/, '');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const found of all) {
    const svg = await draw(found);
    if (!svg) continue;
    writeFileSync(join(folder, `${found.row.name}.svg`), svg);
    plots.set(found.row.name, `benchmarks/${found.row.name}.svg`);
  }
  writeFileSync(file, document(all, plots, about));
  console.log(`# written: ${file.slice(rootFolder.length + 1)}`);
}

/** No time is a failure; what could not be measured is, and figures that are the same everywhere. */
function failuresOf({ row, figures, goals }) {
  const missed = row.exact ? goals.filter(({ reached }) => !reached) : [];
  return [...(figures?.broken ?? []).map((subject) => `${subject} broke off`), ...missed.map(({ goal }) => `missed: ${goal}`)];
}

/** Runs the rows; what broke off is told, and does not keep the others from running. */
async function runAll(names, sizes) {
  const all = [];
  const left = [];
  let failed = 0;
  for (const name of names) {
    const row = await loadRow(name);
    if (row.long && sizes.smoke) {
      left.push({ name, reason: 'not in the smoke form' });
      continue;
    }
    try {
      const found = await runRow(row, sizes);
      const wrong = failuresOf(found);
      all.push(found);
      failed += wrong.length;
      console.log(`${rowText(found)}\n\n${wrong.length > 0 ? `not ok - ${name}: ${wrong.join('; ')}` : `ok - ${name}`}\n`);
    } catch (error) {
      failed += 1;
      left.push({ name, reason: `broke off: ${error.message.split('\n')[0]}` });
      console.log(`${error.stack}\n\nnot ok - ${name}\n`);
    }
  }
  return { all, left, failed };
}

/** What runs that were killed have left. */
function sweep() {
  for (const name of existsSync(workFolder) ? readdirSync(workFolder) : []) {
    const pid = /^scratch-(\d+)$/.exec(name)?.[1];
    if (pid && !existsSync(`/proc/${pid}`)) rmSync(join(workFolder, name), { recursive: true, force: true });
  }
}

async function main() {
  const options = readArguments(process.argv.slice(2));
  if (options.list) return list();
  const sizes = { smoke: options.smoke, rounds: options.rounds ?? (options.smoke ? 1 : ROUNDS), exact: options.rounds !== undefined };
  const names = options.rows.length > 0 ? ROWS.filter((name) => options.rows.includes(name)) : ROWS;
  sweep();
  const busy = await (options.smoke ? busyShare() : waitForQuiet((text) => console.log(`# ${text}`)));
  const on = { ...machine(), busy };
  const { all, left, failed } = await runAll(names, sizes);
  const complete = left.length === 0 && names.length === ROWS.length;
  const file = complete && !sizes.smoke ? join(rootFolder, 'docs/benchmarks.md') : join(workFolder, 'benchmarks.md');
  mkdirSync(dirname(file), { recursive: true });
  await write(file, all, { sizes, on, complete, left });
  process.exitCode = failed ? 1 : 0;
  return undefined;
}

function removeScratch() {
  for (const folder of [scratchFolder, memoryFolder]) rmSync(folder, { recursive: true, force: true });
}

// Whoever ends this process ends what it started.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    killSubjects();
    Redis.process?.kill('SIGKILL');
    removeScratch();
    process.exit(130);
  });
}

try {
  await main();
} finally {
  killSubjects();
  await Redis.stop();
  removeScratch();
}
