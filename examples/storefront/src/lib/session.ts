// The session is a signed cookie that scripts in the page cannot read:
// base64url(JSON).base64url(HMAC-SHA-256). Nothing of it is stored on the
// server, and only the ids in it ever reach a cached function.
import 'server-only';
import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import { cookies } from 'next/headers';
import { connection } from 'next/server';

export interface Session {
  cart: string;
  customer?: number;
}

const COOKIE = 'shop_session';
const LIFETIME_SECONDS = 14 * 24 * 3600;

function sign(text: string) {
  const secret = process.env.SHOP_SECRET;
  if (!secret) throw new Error('SHOP_SECRET must be set');
  return createHmac('sha256', secret).update(text).digest();
}

function seal(session: Session) {
  const text = Buffer.from(JSON.stringify({ ...session, until: Date.now() + LIFETIME_SECONDS * 1000 })).toString('base64url');
  return `${text}.${sign(text).toString('base64url')}`;
}

function unseal(token: string | undefined): Session | null {
  const [text, signature] = token?.split('.') ?? [];
  if (!text || !signature) return null;
  const given = Buffer.from(signature, 'base64url');
  const right = sign(text);
  if (given.length !== right.length || !timingSafeEqual(given, right)) return null;
  const { until, ...session } = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  return until > Date.now() ? session : null;
}

/** The visitor's session, or null for somebody who has none yet. */
export async function getSession(): Promise<Session | null> {
  // Whether it has run out depends on the time, so nothing that asks may be
  // rendered ahead of the request.
  await connection();
  return unseal((await cookies()).get(COOKIE)?.value);
}

/** The same; makes one where there is none. In server actions only. */
export async function ensureSession(): Promise<Session> {
  const session = await getSession();
  if (session) return session;
  return setSession({ cart: randomUUID() });
}

export async function setSession(session: Session) {
  (await cookies()).set(COOKIE, seal(session), {
    httpOnly: true, sameSite: 'lax', path: '/', maxAge: LIFETIME_SECONDS,
    secure: process.env.SHOP_HTTPS === '1',
  });
  return session;
}

export async function endSession() {
  (await cookies()).delete(COOKIE);
}
