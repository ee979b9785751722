// Passwords are kept as scrypt hashes; the comparison takes the same time
// wherever the hashes differ.
import { randomBytes, scrypt, scryptSync, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

const derive = promisify(scrypt);

/** A new salt and the hash of `password` with it. */
export function hashPassword(password, salt = randomBytes(16).toString('hex')) {
  return { salt, hash: scryptSync(password, salt, 32).toString('hex') };
}

export async function verifyPassword(password, salt, hash) {
  const found = await derive(password, salt, 32);
  return timingSafeEqual(found, Buffer.from(hash, 'hex'));
}
