// A file to pixels, block by block: latents tile by tile, then the synthesis of each with the latents around it.
import { Container } from './container.js';
import { FormatError, InputError } from './errors.js';
import { blocks, box, heightOf, LATENT, Tiles, widthOf, within } from './grid.js';
import { readPlain } from './plain.js';
import { meansOfSquares, shrunk, SQUARE } from './preview.js';

// Pixels of rows of tiles that are shown small before any of them is synthesised. Their latents, 5 bytes a pixel, stay.
const GROUP = 2 ** 24;

// Decodes `data` with `model`, or the part `crop` {left, top, width, height} of it. Calls `onBlock` with
// {left, top, width, height, rgba} in the coordinates of that part, and `await`s it. Before that, `onPreview` gets
// {left, top, width, height, columns, rows, rgba} of a tile's small picture: what it covers, with squares that reach out of
// the part, and its own size. `beforeSynthesis` is awaited between the two. `isStopped` ends the work early. Throws
// FormatError and ModelError.
export async function decode(container, model, options) {
  const { crop = null, onBlock, onPreview = null, beforeSynthesis = () => {}, isStopped = () => false } = options;
  const { header } = container;
  const tiles = new Tiles(header);
  const area = cropBox(tiles.picture, crop);
  container.verifyTiles(tiles.meeting(area));
  const alpha = header.hasAlpha ? model.exact.readPlane(container.side('A'), header.height, header.width) : null;
  const smallAlpha = alpha && onPreview ? meansOfSquares(alpha, tiles.picture) : null;
  const decoder = new TileDecoder(container, model, tiles);
  for (const group of groupsOf(tiles, area)) {
    for (const index of onPreview ? group.flat() : []) {
      if (isStopped()) return;
      const seen = within(shrunk(tiles.visible(index)), shrunk(area));
      const rgba = decoder.drawSmall(index, seen);
      if (smallAlpha) addAlpha(rgba, smallAlpha, widthOf(shrunk(tiles.picture)), seen);
      const [left, top] = [seen.left * SQUARE - area.left, seen.top * SQUARE - area.top];
      const [columns, rows] = [widthOf(seen), heightOf(seen)];
      await onPreview({ left, top, width: columns * SQUARE, height: rows * SQUARE, columns, rows, rgba });
    }
    await beforeSynthesis();
    for (const row of group) {
      for (const index of row)
        for (const block of blocks(tiles.box(index), area)) {
          if (isStopped()) return;
          const seen = within(block, area);
          const rgba = await decoder.draw(block, seen);
          if (alpha) addAlpha(rgba, alpha, header.width, seen);
          const [left, top] = [seen.left - area.left, seen.top - area.top];
          await onBlock({ left, top, width: widthOf(seen), height: heightOf(seen), rgba });
        }
      decoder.trim(Math.max(...row.map((index) => tiles.box(index).bottom)));
    }
  }
}

// A file taken apart, with nothing decoded yet. Throws FormatError and LimitError.
export function open(data) {
  return new Container(data);
}

function cropBox(picture, crop) {
  if (!crop) return picture;
  const { left, top, width, height } = crop;
  const area = box(top, left, top + height, left + width);
  const sides = [left, top, width, height];
  const inside = within(area, picture);
  if (!sides.every(Number.isInteger) || width < 1 || height < 1 || Object.keys(area).some((k) => area[k] !== inside[k]))
    throw new InputError(`${width}x${height} pixels at ${left},${top} are not inside the picture`);
  return area;
}

// The tiles that meet `area`: groups of rows, each of at most GROUP pixels or one row.
function groupsOf(tiles, area) {
  const rows = new Map();
  for (const index of tiles.meeting(area)) {
    const row = Math.floor(index / tiles.columns);
    if (!rows.has(row)) rows.set(row, []);
    rows.get(row).push(index);
  }
  const groups = [];
  let room = 0;
  for (const row of rows.values()) {
    const pixels = row.reduce((sum, index) => sum + widthOf(tiles.box(index)) * heightOf(tiles.box(index)), 0);
    if (pixels > room) groups.push([]);
    room = (pixels > room ? GROUP : room) - pixels;
    groups.at(-1).push(row);
  }
  return groups;
}

class TileDecoder {
  constructor(container, model, tiles) {
    this.container = container;
    this.model = model;
    this.tiles = tiles;
    this.header = container.header;
    this.grey = this.header.mode.startsWith('L');
    this.steps = model.steps(this.header.level);
    this.decoded = new Map();
  }

  // RGBA of `seen`, the visible part of `block`, which lies in one tile.
  async draw(block, seen) {
    const [index] = this.tiles.meeting(block);
    const plain = this.#plain(index);
    if (plain) return fromPlain(plain, this.tiles.visible(index), seen, this.grey);
    const region = this.tiles.around(block, this.model.halo);
    const y = await this.#gather(region);
    const [H, W] = [heightOf(region), widthOf(region)];
    const x_hat = await this.model.synthesise(y, H / LATENT, W / LATENT, this.header.level);
    return toRgba(x_hat, H, W, seen, region, this.grey);
  }

  // RGBA of `seen`, squares of the tile `index`, each a pixel.
  drawSmall(index, seen) {
    const plain = this.#plain(index);
    const visible = this.tiles.visible(index);
    if (plain) return fromPlain(meansOfSquares(plain, visible), shrunk(visible), seen, this.grey);
    const { box: tileBox, y_hat } = this.#coded(index);
    const region = shrunk(tileBox);
    const x_hat = this.model.preview(y_hat, heightOf(region) / 2, widthOf(region) / 2, this.header.level);
    return toRgba(x_hat, heightOf(region), widthOf(region), seen, region, this.grey);
  }

  // Forgets what no block from row `bottom` on needs.
  trim(bottom) {
    const { top } = this.tiles.around(box(bottom, 0, bottom + 1, 1), this.model.halo);
    for (const [index, tile] of this.decoded) if (tile.box.bottom <= top) this.decoded.delete(index);
  }

  // The samples of a plain tile, or null.
  #plain(index) {
    const { type, payload } = this.container.tile(index);
    if (type !== 'P') return null;
    const visible = this.tiles.visible(index);
    return this.#named(index, () =>
      readPlain(this.model.exact, payload, heightOf(visible), widthOf(visible), this.grey ? 1 : 3),
    );
  }

  // The latents of a tile, as coded or, of a plain one, as its pixels give them.
  async #latents(index) {
    const plain = this.decoded.has(index) ? null : this.#plain(index);
    if (plain) {
      const tileBox = this.tiles.box(index);
      const x = padded(plain, this.tiles.visible(index), tileBox, this.grey);
      const y_hat = await this.model.analyse(x, heightOf(tileBox), widthOf(tileBox), this.header.level);
      this.decoded.set(index, { box: tileBox, y_hat });
    }
    return this.#coded(index);
  }

  #coded(index) {
    if (!this.decoded.has(index)) {
      const tileBox = this.tiles.box(index);
      const [h, w] = [heightOf(tileBox) / LATENT, widthOf(tileBox) / LATENT];
      const { payload } = this.container.tile(index);
      const y_hat = this.#named(index, () => this.model.exact.readTile(payload, h, w, this.header.level, index));
      this.decoded.set(index, { box: tileBox, y_hat });
    }
    return this.decoded.get(index);
  }

  // The latents of a region in units of y: Float32Array [h, w, M].
  async #gather(region) {
    const { M } = this.model.config;
    const [h, w] = [heightOf(region) / LATENT, widthOf(region) / LATENT];
    const y = new Float32Array(M * h * w);
    for (const index of this.tiles.meeting(region)) {
      const { box: tileBox, y_hat } = await this.#latents(index);
      const common = within(tileBox, region);
      const width = widthOf(tileBox) / LATENT;
      for (let row = common.top; row < common.bottom; row += LATENT)
        for (let column = common.left; column < common.right; column += LATENT) {
          const from = (((row - tileBox.top) / LATENT) * width + (column - tileBox.left) / LATENT) * M;
          const to = (((row - region.top) / LATENT) * w + (column - region.left) / LATENT) * M;
          for (let c = 0; c < M; c++) y[to + c] = y_hat[from + c] * this.steps[c];
        }
    }
    return y;
  }

  #named(index, work) {
    try {
      return work();
    } catch (error) {
      if (error.constructor !== FormatError) throw error;
      const [column, row] = [index % this.tiles.columns, Math.floor(index / this.tiles.columns)];
      throw new FormatError(`damaged: tile (column ${column}, row ${row}): ${error.message}`);
    }
  }
}

// 8-bit RGBA of `seen` out of x_hat [3, H, W] of `region`: clamped and rounded, half to even, as the typed array does.
function toRgba(x_hat, H, W, seen, region, grey) {
  const [height, width] = [heightOf(seen), widthOf(seen)];
  const rgba = new Uint8ClampedArray(4 * height * width);
  const [first, plane] = [(seen.top - region.top) * W + seen.left - region.left, H * W];
  const clamp = (value) => Math.min(Math.max(value, 0), 1);
  for (let row = 0, to = 0; row < height; row++)
    for (let at = first + row * W, end = at + width; at < end; at++, to += 4) {
      let [r, g, b] = [x_hat[at], x_hat[plane + at], x_hat[2 * plane + at]];
      if (grey) r = g = b = Math.fround((clamp(r) + clamp(g) + clamp(b)) / 3);
      rgba[to] = Math.fround(r * 255);
      rgba[to + 1] = Math.fround(g * 255);
      rgba[to + 2] = Math.fround(b * 255);
      rgba[to + 3] = 255;
    }
  return rgba;
}

// The part `seen` of a plain tile, of which `visible` are all its samples, planes one below the other.
function fromPlain(samples, visible, seen, grey) {
  const [height, width] = [heightOf(seen), widthOf(seen)];
  const [W, plane] = [widthOf(visible), heightOf(visible) * widthOf(visible)];
  const rgba = new Uint8ClampedArray(4 * height * width);
  for (let row = 0, to = 0; row < height; row++)
    for (let column = 0; column < width; column++, to += 4) {
      const at = (seen.top - visible.top + row) * W + seen.left - visible.left + column;
      for (let c = 0; c < 3; c++) rgba[to + c] = samples[(grey ? 0 : c * plane) + at];
      rgba[to + 3] = 255;
    }
  return rgba;
}

// A plain tile as the analysis takes it: Float32Array [3, H, W] in [0, 1], its last column and row repeated.
function padded(samples, visible, tileBox, grey) {
  const [H, W, h, w] = [heightOf(tileBox), widthOf(tileBox), heightOf(visible), widthOf(visible)];
  const x = new Float32Array(3 * H * W);
  for (let c = 0, to = 0; c < 3; c++)
    for (let row = 0; row < H; row++)
      for (let column = 0; column < W; column++, to++) {
        const at = Math.min(row, h - 1) * w + Math.min(column, w - 1);
        x[to] = samples[(grey ? 0 : c * h * w) + at] / 255;
      }
  return x;
}

function addAlpha(rgba, alpha, width, seen) {
  for (let row = seen.top, to = 3; row < seen.bottom; row++)
    for (let column = seen.left; column < seen.right; column++, to += 4) rgba[to] = alpha[row * width + column];
}
