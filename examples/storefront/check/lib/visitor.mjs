// A visitor with a browser that knows cookies and forms but no scripts: the
// shop's forms work without.
const unescape = (text) =>
  text.replaceAll('&quot;', '"').replaceAll('&#x27;', "'").replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');

function attribute(tag, name) {
  const match = new RegExp(`\\s${name}="([^"]*)"`).exec(tag);
  return match ? unescape(match[1]) : null;
}

export class Visitor {
  cookies = new Map();

  constructor(server) {
    this.server = server;
  }

  #headers() {
    return { cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; '), origin: this.server.url };
  }

  #remember(page) {
    for (const line of page.headers.getSetCookie()) {
      const [pair] = line.split(';');
      const at = pair.indexOf('=');
      const [name, value] = [pair.slice(0, at), pair.slice(at + 1)];
      if (value === '' || /max-age=0|expires=thu, 01 jan 1970/i.test(line)) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return page;
  }

  async get(path) {
    return this.#remember(await this.server.get(path, this.#headers()));
  }

  /** Fills in the form of a page whose opening tag or content matches, sends
   *  it, and follows where it leads. */
  async submit(path, pattern, fields = {}) {
    const page = await this.get(path);
    const form = page.text.match(/<form[\s\S]*?<\/form>/g)?.find((text) => pattern.test(text));
    if (!form) throw new Error(`${path} has no form like ${pattern}`);
    const body = new FormData();
    for (const tag of form.match(/<input[^>]*>/g) ?? []) {
      const name = attribute(tag, 'name');
      if (name) body.set(name, attribute(tag, 'value') ?? '');
    }
    for (const [name, value] of Object.entries(fields)) body.set(name, String(value));
    const answer = this.#remember(await this.server.fetch(path, { method: 'POST', body, headers: this.#headers() }));
    const location = answer.headers.get('location');
    if (!location) return answer;
    const next = new URL(location, this.server.url);
    const followed = await this.get(next.pathname + next.search);
    followed.path = next.pathname + next.search;
    return followed;
  }

  signIn(email, password) {
    return this.submit('/sign-in', /data-form="sign-in"/, { email, password });
  }

  static async admin(server) {
    const visitor = new Visitor(server);
    const page = await visitor.signIn('admin@example.com', 'open sesame');
    if (page.path !== '/admin') throw new Error(`the admin was sent to ${page.path}`);
    return visitor;
  }

  /** On the admin page; `price` in cents. */
  changeProduct(slug, { price, stock }) {
    return this.submit('/admin', /data-form="admin"/, {
      slug, price: price === undefined ? '' : (price / 100).toFixed(2), stock: stock ?? '',
    });
  }

  me() {
    return this.get('/api/me').then((page) => JSON.parse(page.text));
  }
}
