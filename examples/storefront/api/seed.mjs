// The shop's assortment: 8 categories of 40 products in 8 variants each, with
// descriptions, reviews and questions. The same seed gives the same shop.
import { hashPassword } from './password.mjs';

const CATEGORIES = [
  ['chairs', 'Chairs', 'Dining chairs, armchairs and stools that are still comfortable after the third hour.', ['Dining Chair', 'Armchair', 'Bar Stool', 'Rocking Chair', 'Folding Chair'], 14900],
  ['tables', 'Tables', 'Tables to eat, work and play at, in solid wood that can be sanded and oiled again.', ['Dining Table', 'Coffee Table', 'Writing Desk', 'Side Table', 'Console'], 39900],
  ['lamps', 'Lamps', 'Warm light for reading, for long evenings and for the way to the kitchen at night.', ['Pendant', 'Floor Lamp', 'Table Lamp', 'Wall Lamp', 'Reading Light'], 8900],
  ['kitchen', 'Kitchen', 'Knives, pans and bowls that get better with use and can be repaired.', ['Chef’s Knife', 'Cast-Iron Pan', 'Mixing Bowl', 'Cutting Board', 'Kettle'], 5900],
  ['textiles', 'Textiles', 'Linen, wool and cotton, woven in small mills and made to be washed often.', ['Wool Blanket', 'Linen Sheet', 'Cushion', 'Bath Towel', 'Rug'], 6900],
  ['storage', 'Storage', 'Shelves, boxes and hooks, because everything needs a place.', ['Bookshelf', 'Storage Box', 'Coat Rack', 'Chest of Drawers', 'Wall Shelf'], 12900],
  ['garden', 'Garden', 'Tools and furniture for outside, made for rain, sun and many seasons.', ['Garden Bench', 'Spade', 'Watering Can', 'Plant Pot', 'Deck Chair'], 7900],
  ['tableware', 'Tableware', 'Plates, cups and glasses for every day, thrown and blown by hand.', ['Dinner Plate', 'Stoneware Mug', 'Wine Glass', 'Serving Bowl', 'Teapot'], 2900],
];
const LINES = ['Alder', 'Birk', 'Dune', 'Ebba', 'Fjord', 'Holm', 'Juniper', 'Marsh'];
const FINISHES = ['Natural', 'Smoked', 'Chalk', 'Ink'];
const SIZES = ['Standard', 'Large'];
const WOOD = ['oiled oak', 'ash from managed forests', 'smoked beech', 'solid walnut'];
const METAL = ['blackened iron', 'solid brass', 'recycled steel', 'spun copper'];
const CLOTH = ['stonewashed linen', 'undyed wool', 'organic cotton', 'a blend of wool and hemp'];
const CLAY = ['hand-thrown stoneware', 'speckled earthenware', 'bone china', 'salt-glazed clay'];
const MATERIALS = {
  chairs: WOOD, tables: WOOD, storage: WOOD, lamps: METAL, kitchen: METAL, garden: [...METAL, ...CLAY], textiles: CLOTH, tableware: CLAY,
};
const MAKERS = ['a family workshop near Gothenburg', 'a co-operative of eleven makers in Porto', 'a mill that has worked since 1884', 'two sisters in the Black Forest', 'a foundry on the Danish coast', 'a studio in the hills above Florence'];

const OPENINGS = [
  'We looked for a {noun} like this for two years before we found {maker}.',
  'The {name} is made by {maker}, in runs of a few hundred at a time.',
  'Some things are right the first time: the {name} has not changed since its first drawing.',
  'Every {name} passes through the hands of {maker} before it comes to us.',
];
const MIDDLES = [
  'It is built from {material}, chosen for how it ages rather than for how it photographs.',
  'The joints are cut to a tenth of a millimetre and glued only where glue is better than wood.',
  'Edges are broken by hand, which takes a quarter of an hour and is the reason why it feels as it does.',
  'What wears out can be ordered as a spare part and replaced with an ordinary screwdriver.',
  'The proportions follow the body, not the fashion: we measured forty people before the first sample.',
  'The surface is finished with hard wax oil and can be renewed at home with a cloth.',
  'It weighs less than it looks, because material was taken away wherever it did not carry anything.',
  'We test one in every twenty for a week with twice the load that it will ever meet at home.',
];
const CLOSINGS = [
  'It comes assembled, in a box without plastic, with a card that says who made it.',
  'If it ever fails, send us a picture: we repair it, or we replace it.',
  'Our oldest customers have theirs for more than ten years, and write to us when they pass it on.',
  'Order a sample of the finish first if you are unsure: it is free, and it arrives in two days.',
];
const PRAISE = [
  'Much better in the hand than in the pictures.', 'The finish is beautiful and even, without a single flaw.',
  'Arrived two days early and packed with care.', 'We use it every day and it still looks new.',
  'You notice at once that somebody thought about the details.', 'The colour goes well with our old furniture.',
  'My third order from this shop, and the third time that everything was right.', 'Sturdy, quiet and simple, exactly what I was looking for.',
  'A friend saw it and ordered the same one that evening.', 'After a year of children and a dog there is hardly a mark on it.',
  'The size in the description is exact, which is rarer than one would think.', 'It feels like something that will be inherited.',
];
const GRUMBLE = [
  'Delivery took a week longer than promised, but they told me before I had to ask.', 'One corner had a small dent; a replacement came without any discussion.',
  'I would have liked a darker variant.', 'The instructions are only pictures, and the fourth one is not clear.',
  'Heavier than expected, so have a second pair of hands ready.', 'It smelled of oil for the first few days.',
  'Not cheap, and I hesitated for a month.', 'The large one is really large: do measure first.',
];
const VERDICTS = [
  'I would buy it again without thinking.', 'Four stars only because nothing is perfect.', 'Recommended to anyone who is tired of throwing things away.',
  'Worth the price.', 'I have already ordered a second one.', 'Thank you to whoever made it.', 'It has found its place.', 'We are happy with it.',
];
const PEOPLE = ['Anna', 'Jonas', 'Mireille', 'Tomás', 'Ingrid', 'Oskar', 'Leila', 'Paul', 'Saoirse', 'Giulia', 'Henrik', 'Noor', 'Wiebke', 'Arthur', 'Zofia', 'Émile'];
const TOWNS = ['Bergen', 'Utrecht', 'Graz', 'Lisbon', 'Ghent', 'Lyon', 'Turku', 'Cork', 'Leipzig', 'Aarhus', 'Trieste', 'Malmö'];
const QUESTIONS = [
  ['Can it stand outside?', 'Under a roof, yes. In the open it turns grey within a season, which some of us like.'],
  ['Is the finish safe for food?', 'Yes: it is certified to EN 71-3 and contains no solvents.'],
  ['How is it delivered?', 'By parcel up to 30 kg, above that by two people who carry it to the room of your choice.'],
  ['Are spare parts available?', 'All of them, for at least fifteen years, from our own stock.'],
  ['Where does the wood come from?', 'From forests within 300 km of the workshop; the certificate is in the box.'],
  ['Can I return it when it does not fit?', 'Within 60 days, in any packaging, and we pay for the way back.'],
];

/** A small generator of numbers below 1 that depend on `state` alone. */
function generator(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function detailOf({ random, category, name, noun }) {
  const pick = (list) => list[Math.floor(random() * list.length)];
  const several = (list, count) => {
    const rest = [...list];
    return Array.from({ length: count }, () => rest.splice(Math.floor(random() * rest.length), 1)[0]);
  };
  const material = pick(MATERIALS[category]);
  const maker = pick(MAKERS);
  const fill = (text) =>
    text.replace('{name}', name).replace('{noun}', noun.toLowerCase()).replace('{material}', material).replace('{maker}', maker);
  const reviews = Array.from({ length: 19 }, () => {
    const stars = 3 + Math.floor(random() * 3);
    const sentences = [...several(PRAISE, stars - 1), ...(stars < 5 ? several(GRUMBLE, 5 - stars) : []), pick(VERDICTS)];
    const day = new Date(Date.UTC(2024, 0, 1) + Math.floor(random() * 680) * 86_400_000);
    return { stars, author: `${pick(PEOPLE)}, ${pick(TOWNS)}`, date: day.toISOString().slice(0, 10), text: sentences.join(' ') };
  }).sort((a, b) => (a.date < b.date ? 1 : -1));
  const [first, second, third, fourth, fifth] = several(MIDDLES, 5);
  return {
    description: [
      fill(`${pick(OPENINGS)} ${first} ${second}`),
      fill(`${third} ${fourth}`),
      fill(`${fifth} ${pick(CLOSINGS)}`),
    ],
    specs: [
      ['Material', material], ['Made by', maker], ['Weight', `${(1 + random() * 18).toFixed(1)} kg`],
      ['Width', `${20 + Math.floor(random() * 140)} cm`], ['Height', `${15 + Math.floor(random() * 120)} cm`],
      ['Depth', `${15 + Math.floor(random() * 70)} cm`], ['Care', 'Wipe with a damp cloth; oil once a year'], ['Guarantee', '15 years'],
    ],
    reviews,
    questions: several(QUESTIONS, 4).map(([question, answer]) => ({ question, answer })),
  };
}

function seedProducts(db) {
  const insertProduct = db.prepare('INSERT INTO product VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)');
  const insertSku = db.prepare('INSERT INTO sku VALUES (?, ?, ?, ?, ?)');
  let number = 0;
  for (const [category, title, blurb, nouns, base] of CATEGORIES) {
    db.run('INSERT INTO category VALUES (?, ?, ?)', [category, title, blurb]);
    for (const noun of nouns) {
      for (const line of LINES) {
        number += 1;
        const random = generator(number);
        const name = `${line} ${noun}`;
        const slug = name.toLowerCase().replace(/[^a-z]+/g, '-');
        const price = Math.round((base * (0.6 + random() * 1.2)) / 100) * 100 - 10;
        const detail = detailOf({ random, category, name, noun });
        const tagline = `${noun} in ${detail.specs[0][1]}, by ${detail.specs[1][1]}`;
        // The last line of each category's last noun has been discontinued.
        const replacedBy = noun === nouns[4] && line === 'Marsh' ? slug.replace('marsh', 'alder') : null;
        insertProduct.run([slug, category, name, tagline, price, 5 + Math.floor(random() * 60), number % 10 === 1 ? 1 : 0, replacedBy, JSON.stringify(detail)]);
        FINISHES.forEach((finish, f) =>
          SIZES.forEach((size, s) => insertSku.run([`${1000 + number}-${f}${s}`, slug, finish, size, f * 500 + s * 2000])));
      }
    }
  }
  insertProduct.finalize();
  insertSku.finalize();
}

function seedCustomers(db) {
  const people = [
    ['ada@example.com', 'Ada Lindqvist', 'Gothenburg', '12 Harbour Lane', 'correct horse', 0],
    ['ben@example.com', 'Ben Okafor', 'Utrecht', '3 Mill Street', 'battery staple', 0],
    ['admin@example.com', 'Shop Admin', 'Aarhus', '1 Office Road', 'open sesame', 1],
  ];
  for (const [email, name, city, street, password, admin] of people) {
    const { salt, hash } = hashPassword(password);
    db.run('INSERT INTO customer (email, name, city, street, admin, salt, password) VALUES (?, ?, ?, ?, ?, ?, ?)', [email, name, city, street, admin, salt, hash]);
  }
}

export function seed(db) {
  seedProducts(db);
  seedCustomers(db);
}
