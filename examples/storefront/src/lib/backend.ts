// The HTTP client of the back office (api/): the one place that knows its
// address and its key.
const base = process.env.SHOP_API_URL ?? 'http://127.0.0.1:4100';

function headers() {
  return { 'x-shop-key': process.env.SHOP_API_KEY ?? '', 'content-type': 'application/json' };
}

async function parse<T>(response: Response): Promise<T | null> {
  if (response.status === 404) return null;
  const body = await response.json();
  if (!response.ok) throw new Error(body.error ?? `the back office answered ${response.status}`);
  return body as T;
}

/** A public resource, kept in the fetch cache under the tags; null on 404. */
export async function cachedResource<T>(path: string, tags: string[], revalidate = 3600): Promise<T | null> {
  return parse<T>(await fetch(`${base}${path}`, { next: { tags, revalidate } }));
}

/** A resource as it is now; null on 404. */
export async function freshResource<T>(path: string): Promise<T | null> {
  return parse<T>(await fetch(`${base}${path}`, { headers: headers(), cache: 'no-store' }));
}

/** Sends a change to the back office; throws what it objects to. */
export async function send<T>(method: 'POST' | 'PUT' | 'PATCH', path: string, body: unknown): Promise<T> {
  const response = await fetch(`${base}${path}`, { method, headers: headers(), body: JSON.stringify(body), cache: 'no-store' });
  const result = await parse<T>(response);
  if (result === null) throw new Error('not found');
  return result;
}
