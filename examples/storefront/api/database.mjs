// The SQLite file of the back office. One process owns it: the API. SQLite is
// the WebAssembly build, so that no compiler and no download is needed; it
// locks with a directory beside the file, which a kill leaves behind, hence the
// note of the owner's process id.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import sqlite from 'node-sqlite3-wasm';
import { seed } from './seed.mjs';

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function takeOwnership(file) {
  const note = `${file}.owner`;
  if (existsSync(note)) {
    const pid = Number(readFileSync(note, 'utf8'));
    if (pid && pid !== process.pid && isAlive(pid)) {
      throw new Error(`${file} belongs to the running process ${pid}`);
    }
  }
  writeFileSync(note, String(process.pid));
  rmSync(`${file}.lock`, { recursive: true, force: true });
}

/** Opens the database, and makes and seeds it when there is none. */
export function openDatabase(file) {
  mkdirSync(dirname(file), { recursive: true });
  takeOwnership(file);
  const db = new sqlite.Database(file);
  db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = NORMAL');
  if (!db.get("SELECT 1 FROM sqlite_master WHERE name = 'product'")) {
    const schema = readFileSync(new URL('schema.sql', import.meta.url), 'utf8');
    transaction(db, () => {
      db.exec(schema);
      seed(db);
    });
  }
  return db;
}

/** Runs `work` so that either all of it is in the database or nothing. */
export function transaction(db, work) {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    db.exec('ROLLBACK');
    throw error;
  }
}
