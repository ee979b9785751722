// The traffic of a shop, as its servers' caches see it: few pages are asked for often,
// many rarely, and now and then something is invalidated.
const PRODUCTS = 600;
const CATEGORIES = ['shoes', 'jackets', 'bags', 'outlet', 'new-in', 'gifts'];
const PAUSE_MS = 40;
const AT_ONCE = 24; // look-ups of a server between two pauses

const product = (i) => ({ line: `1 p:k3Jd82LmQ0:/products/${i}`, put: `${6000 + (i * 37) % 9000} products,product-${i},_N_T_/products/${i} 0 300 -` });
const price = (i) => ({ line: `3 f:https://api.shop.example/prices/${i}`, put: `${300 + i % 400} prices,product-${i} 0 60 -` });
const category = (name) => ({ line: `1 p:k3Jd82LmQ0:/categories/${name}`, put: `24000 products,category-${name} 0 300 -` });
const image = (i) => ({ line: `5 i:/photos/${i}.avif:w640`, put: '90000 - 0 86400 -' });
const component = (name) => ({ line: `4 u:k3Jd82LmQ0:["80c1f5e2a7/${name}",[{"customer":"secret-argument"}],["k3Jd82LmQ0"]]`, put: '2200 navigation 0 900 -' });
const cart = (i) => ({ line: `2 p:k3Jd82LmQ0:/api/stock/${i}`, put: '180 stock 0 - -' });

const things = [
  ...CATEGORIES.map(category),
  ...['menu', 'footer', 'teaser'].map(component),
  ...Array.from({ length: PRODUCTS }, (_, i) => [product(i), price(i), image(i), ...(i % 7 ? [] : [cart(i)])]).flat(),
];

/** The more to the front, the more often: 1/rank. */
const pick = () => things[Math.min(things.length - 1, Math.floor(things.length ** Math.random()) - 1)];

async function visit(server) {
  const { line, put } = pick();
  const answer = await server.tell(`get ${line}`);
  if (answer !== 'hit') await server.tell(`put ${line} ${put}`);
}

/** What a warmed cache has. */
export async function stock(server) {
  for (const { line, put } of things.slice(0, 1200)) await server.tell(`put ${line} ${put}`);
}

/** Until the function that it returns is called. */
export function traffic(servers, { invalidate = true } = {}) {
  let ends = false;
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const work = servers.map(async (server, which) => {
    for (let round = 1; !ends; round += 1) {
      const busy = 0.6 + 0.4 * Math.sin(round / 90 + which);
      for (let i = 0; i < AT_ONCE * busy; i += 1) await visit(server);
      if (invalidate && round % 300 === 150) await server.tell(`mark product-${Math.floor(Math.random() * 40)} 0`);
      if (invalidate && round % 700 === 350) await server.tell('mark prices -');
      await pause(PAUSE_MS);
    }
  });
  return async () => {
    ends = true;
    await Promise.all(work);
  };
}
