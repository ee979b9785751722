// A table of SQLite in write-ahead mode, without flushes; values by V8's serializer.
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import v8 from 'node:v8';
import { peersFolder, requirePeer } from '../lib/places.mjs';

export const label = 'better-sqlite3';

/** Why it cannot take part; undefined when it can. */
export function absent() {
  const folder = join(peersFolder, 'node_modules/better-sqlite3');
  if (existsSync(join(folder, 'build/Release/better_sqlite3.node'))) return undefined;
  return existsSync(join(folder, 'not-built')) ? readFileSync(join(folder, 'not-built'), 'utf8').trim() : 'it is not compiled in the smoke form';
}

export async function open({ folder }) {
  const Database = requirePeer('better-sqlite3');
  mkdirSync(folder, { recursive: true });
  const database = new Database(join(folder, 'store.db'));
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = OFF');
  database.exec('CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID');
  const select = database.prepare('SELECT value FROM entries WHERE key = ?').pluck();
  const replace = database.prepare('INSERT OR REPLACE INTO entries VALUES (?, ?)');
  return {
    get({ key }) {
      const bytes = select.get(key);
      return bytes && v8.deserialize(bytes);
    },
    set: ({ key, value }) => replace.run(key, v8.serialize(value)),
    valueOf: (value) => value,
    close: () => database.close(),
  };
}
