// The matrix, version by feature, for a terminal and for docs/compatibility.md.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rootFolder } from './install.mjs';
import { Results } from './results.mjs';
import { VERSIONS } from './versions.mjs';

/** Rows in the order in which any version has them. */
function rowsOf(all) {
  const rows = new Map();
  for (const results of all) for (const row of results.rows) if (!rows.has(row.id)) rows.set(row.id, row.title);
  return [...rows];
}

function cell(results, id, notes) {
  const row = results.rows.find((other) => other.id === id);
  if (!row) return '–';
  if (row.absent) {
    if (!notes.includes(row.absent)) notes.push(row.absent);
    return `n/a ${notes.indexOf(row.absent) + 1}`;
  }
  const count = (status) => row.checks.filter((check) => check.status === status).length;
  if (count('failed')) return `FAILED ${count('failed')}/${row.checks.length}`;
  return count('differs') ? `differs ${count('differs')}/${row.checks.length}` : `ok ${row.checks.length}`;
}

/** As text, with the reasons for "n/a" below. */
export function matrix(all) {
  const notes = [];
  const rows = rowsOf(all);
  const width = Math.max(0, ...rows.map(([, title]) => title.length)) + 2;
  const lines = [''.padEnd(width) + all.map(({ version }) => version.padEnd(14)).join('')];
  for (const [id, title] of rows) {
    lines.push(title.padEnd(width) + all.map((results) => cell(results, id, notes).padEnd(14)).join('').trimEnd());
  }
  notes.forEach((note, index) => lines.push(`n/a ${index + 1}: ${note}`));
  return lines.join('\n');
}

const PREFACE = `# Which Next.js, and what works

Written by \`tests/e2e/run\`, from what it saw; not by hand. For each release it builds small real apps, starts them and
asks them over HTTP and in Chromium. "ok 9" stands for nine checks that hold; the checks are in
[tests/e2e/checks](../tests/e2e/checks), one file for each area. "n/a" has its reason below the table. Operating systems, processors and libcs: [platforms.md](platforms.md).
`;

const OWN = (asked) => `## What differs from Next's own cache

The same checks, asked of Next's own cache (\`NEXT_CACHE_ENGINE=next\`) in the same apps, with ${asked}. All others
hold with both.

| check | Next's own cache | in |
|---|---|---|`;

const table = (cells) => `| ${cells.join(' | ')} |`;

function differences(all) {
  const found = new Map();
  for (const results of all) {
    for (const row of results.rows) {
      for (const { name, status, own } of row.checks) {
        if (status !== 'differs') continue;
        const line = `${row.title}: ${name} | ${own}`;
        if (!found.has(line)) found.set(line, []);
        found.get(line).push(results.version);
      }
    }
  }
  return [...found].map(([line, versions]) => `| ${line} | ${versions.length === all.length ? 'all of these' : versions.join(', ')} |`);
}

/** Writes the document when every version has been tried. */
export function documented() {
  const ours = VERSIONS.map(({ version }) => Results.load(version, 'nextcache'));
  const own = VERSIONS.map(({ version }) => Results.load(version, 'next')).filter(Boolean);
  if (!ours.every(Boolean)) return;
  const notes = [];
  const lines = [PREFACE, '| version | is |', '|---|---|', ...VERSIONS.map(({ version, why }) => table([version, why])), ''];
  lines.push(table(['', ...ours.map(({ version }) => version)]), table(['---', ...ours.map(() => '---')]));
  for (const [id, title] of rowsOf(ours)) lines.push(table([title, ...ours.map((results) => cell(results, id, notes))]));
  lines.push('', ...notes.map((note, index) => `n/a ${index + 1}: ${note}.  `), '', OWN(own.map(({ version }) => version).join(', ')), ...differences(own), '');
  writeFileSync(join(rootFolder, 'docs/compatibility.md'), lines.join('\n'));
}
