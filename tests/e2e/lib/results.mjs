// What a run found out about one version with one engine, and the file that
// keeps it for the table of all versions.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { workFolder } from './install.mjs';

const fileOf = (version, engine) => join(workFolder, 'results', `${version}-${engine}.json`);

export class Results {
  /** Rows by feature: {id, title, absent?, checks: [{name, status, own?}]}. */
  rows = [];

  constructor(version, engine) {
    Object.assign(this, { version, engine });
  }

  static load(version, engine) {
    const file = fileOf(version, engine);
    if (!existsSync(file)) return undefined;
    return Object.assign(new Results(version, engine), { rows: JSON.parse(readFileSync(file, 'utf8')) });
  }

  /** Keeps what was found; with `partial`, also what was found before about features that were not asked now. */
  save(partial) {
    const before = (partial && Results.load(this.version, this.engine)?.rows) || [];
    const kept = before.map((row) => this.rows.find(({ id }) => id === row.id) ?? row);
    const rows = [...kept, ...this.rows.filter(({ id }) => !before.some((row) => row.id === id))];
    mkdirSync(join(workFolder, 'results'), { recursive: true });
    writeFileSync(fileOf(this.version, this.engine), `${JSON.stringify(rows, null, 1)}\n`);
  }

  #row({ id, title }) {
    let row = this.rows.find((other) => other.id === id);
    if (!row) this.rows.push((row = { id, title, checks: [] }));
    return row;
  }

  absent(feature, reason) {
    this.#row(feature).absent = reason;
  }

  add(feature, check) {
    this.#row(feature).checks.push(check);
  }

  count(status) {
    return this.rows.flatMap((row) => row.checks).filter((check) => check.status === status).length;
  }
}
