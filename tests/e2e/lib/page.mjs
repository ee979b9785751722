// An answer, as the checks look at it.
export class Page {
  constructor(response, bytes) {
    this.status = response.status;
    this.headers = response.headers;
    this.bytes = bytes;
  }

  get text() {
    return this.bytes.toString('utf8');
  }

  get json() {
    return JSON.parse(this.text);
  }

  /** HIT, STALE, MISS, …; null where Next.js does not say. */
  get cache() {
    return this.headers.get('x-nextjs-cache');
  }

  /** A data attribute, in HTML, in the payload of a client navigation, or in a
   *  Pages router's JSON; null without one. */
  data(name) {
    return new RegExp(`data-${name}\\\\*"?[=:]\\s*\\\\*"([^"\\\\]*)`).exec(this.text)?.[1] ?? null;
  }

  get value() {
    return this.data('value');
  }

  /** Which render made it. */
  get made() {
    return this.data('made');
  }
}
