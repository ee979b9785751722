// Product pictures, drawn by arithmetic so that the shop needs no image files:
// each category has a silhouette made of rounded boxes and discs, each product
// line its colours. The result is a PNG.
import { deflateSync } from 'node:zlib';

const WIDTH = 640;
const HEIGHT = 480;

type Colour = [number, number, number];
// A rounded box: centre, half width, half height, radius. A disc is a box
// without extent. In units of the picture's height, from its centre.
type Box = [x: number, y: number, w: number, h: number, radius: number];

const SILHOUETTES: Record<string, Box[]> = {
  chairs: [[-0.13, -0.12, 0.02, 0.2, 0.02], [0, 0.08, 0.15, 0.02, 0.02], [-0.13, 0.24, 0.015, 0.14, 0.01], [0.13, 0.24, 0.015, 0.14, 0.01], [-0.05, -0.06, 0.09, 0.012, 0.01]],
  tables: [[0, -0.05, 0.36, 0.02, 0.015], [-0.3, 0.16, 0.015, 0.19, 0.01], [0.3, 0.16, 0.015, 0.19, 0.01]],
  lamps: [[0, 0.34, 0.12, 0.012, 0.012], [0, 0.08, 0.008, 0.25, 0.004], [0, -0.2, 0.13, 0.07, 0.05]],
  kitchen: [[-0.08, 0.06, 0.2, 0.1, 0.09], [0.26, 0.0, 0.16, 0.018, 0.018], [-0.08, -0.07, 0.21, 0.012, 0.012]],
  textiles: [[0, 0.16, 0.26, 0.05, 0.03], [0, 0.05, 0.26, 0.05, 0.03], [0, -0.06, 0.26, 0.05, 0.03], [0, -0.17, 0.26, 0.05, 0.03]],
  storage: [[-0.22, 0, 0.012, 0.32, 0.01], [0.22, 0, 0.012, 0.32, 0.01], [0, -0.26, 0.22, 0.012, 0.01], [0, -0.06, 0.22, 0.012, 0.01], [0, 0.14, 0.22, 0.012, 0.01], [-0.1, -0.13, 0.06, 0.06, 0.01], [0.1, 0.08, 0.05, 0.05, 0.04]],
  garden: [[0, 0.2, 0.13, 0.13, 0.05], [0, -0.12, 0.012, 0.2, 0.01], [-0.11, -0.16, 0.06, 0.03, 0.05], [0.11, -0.22, 0.06, 0.03, 0.05], [0, -0.32, 0.03, 0.05, 0.05]],
  tableware: [[-0.04, 0.04, 0.14, 0.16, 0.06], [0.16, 0.02, 0.05, 0.08, 0.05]],
};
const PALETTES: [ground: Colour, shape: Colour][] = [
  [[235, 224, 208], [120, 74, 44]], [[222, 229, 224], [52, 84, 76]], [[240, 228, 215], [168, 92, 60]], [[226, 226, 234], [62, 68, 110]],
  [[232, 234, 222], [98, 110, 54]], [[238, 222, 220], [140, 62, 70]], [[224, 232, 238], [44, 92, 120]], [[236, 232, 226], [70, 66, 62]],
];

/** Distance from a point to the edge of the box; negative inside. */
function distance([cx, cy, w, h, radius]: Box, x: number, y: number) {
  const dx = Math.abs(x - cx) - w + radius;
  const dy = Math.abs(y - cy) - h + radius;
  return Math.hypot(Math.max(dx, 0), Math.max(dy, 0)) + Math.min(Math.max(dx, dy), 0) - radius;
}

function chunk(type: string, data: Buffer) {
  const out = Buffer.alloc(12 + data.length);
  out.writeUInt32BE(data.length, 0);
  out.write(type, 4, 'latin1');
  data.copy(out, 8);
  out.writeUInt32BE(crc(out.subarray(4, 8 + data.length)), 8 + data.length);
  return out;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

function crc(bytes: Buffer) {
  let c = 0xffffffff;
  for (const byte of bytes) c = CRC_TABLE[(c ^ byte) & 255] ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

/** Rows of RGB with a filter byte of 0 before each, as PNG wants them. */
function paint(boxes: Box[], ground: Colour, shape: Colour) {
  const rows = Buffer.alloc(HEIGHT * (1 + WIDTH * 3));
  let at = 0;
  for (let row = 0; row < HEIGHT; row++) {
    at++;
    const y = row / HEIGHT - 0.5;
    const light = 1.03 - 0.1 * (row / HEIGHT);
    for (let column = 0; column < WIDTH; column++) {
      const x = (column - WIDTH / 2) / HEIGHT;
      const edge = Math.min(...boxes.map((box) => distance(box, x, y)));
      const cover = Math.min(1, Math.max(0, 0.5 - edge * HEIGHT));
      for (let c = 0; c < 3; c++) rows[at++] = Math.min(255, light * (ground[c] * (1 - cover) + shape[c] * cover));
    }
  }
  return rows;
}

/** The picture of a product, as the bytes of a PNG file. */
export function drawPicture(slug: string, category: string) {
  const seed = crc(Buffer.from(slug));
  const [ground, shape] = PALETTES[seed % PALETTES.length];
  const boxes = SILHOUETTES[category] ?? SILHOUETTES.storage;
  // A little taller or wider, so that no two of a category look the same.
  const [stretchX, stretchY] = [0.85 + (seed % 97) / 250, 0.85 + (seed % 89) / 300];
  const own = boxes.map(([x, y, w, h, radius]): Box => [x * stretchX, y * stretchY, w * stretchX, h * stretchY, radius]);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(WIDTH, 0);
  header.writeUInt32BE(HEIGHT, 4);
  header.set([8, 2], 8);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(paint(own, ground, shape), { level: 6 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}
