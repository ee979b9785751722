// Runs the files beside this one: main.mjs [NAME...]; see ../run.
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build, checkFolder, install } from './lib/build.mjs';
import { check, totals } from './lib/report.mjs';
import { startNext } from './lib/process.mjs';

const names = process.argv.slice(2);
const files = readdirSync(checkFolder).filter((file) => /^\d.*\.mjs$/.test(file)).sort();
install();
for (const file of files.filter((name) => !names.length || names.some((part) => name.includes(part)))) {
  console.log(`# ${file}`);
  const folder = build('open');
  rmSync(join(folder, '.cache'), { recursive: true, force: true });
  const next = await startNext(folder);
  await check(`${file} runs to its end`, async () => (await import(`./${file}`)).run({ folder, next }));
  await next.end();
}
const { passed, failed } = totals();
console.log(`page-server: ${passed} passed, ${failed} failed`);
process.exit(failed || !passed ? 1 : 0);
