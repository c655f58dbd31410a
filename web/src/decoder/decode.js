// A file to pixels, block by block: latents tile by tile, then the synthesis of each with the latents around it.
import { Container } from './container.js';
import { FormatError, InputError } from './errors.js';
import { blocks, box, heightOf, LATENT, Tiles, widthOf, within } from './grid.js';
import { readPlain } from './plain.js';

// Decodes `data` with `model`, or the part `crop` {left, top, width, height} of it. Calls `onBlock` with
// {left, top, width, height, rgba} in the coordinates of that part, and `await`s it. `isStopped` ends the work early.
// Throws FormatError and ModelError.
export async function decode(container, model, { crop = null, onBlock, isStopped = () => false }) {
  const { header } = container;
  const tiles = new Tiles(header);
  const area = cropBox(tiles.picture, crop);
  container.verifyTiles(tiles.meeting(area));
  const alpha = header.hasAlpha ? model.exact.readPlane(container.side('A'), header.height, header.width) : null;
  const decoder = new TileDecoder(container, model, tiles);
  for (const row of rowsOf(tiles, area)) {
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

function rowsOf(tiles, area) {
  const rows = new Map();
  for (const index of tiles.meeting(area)) {
    const row = Math.floor(index / tiles.columns);
    if (!rows.has(row)) rows.set(row, []);
    rows.get(row).push(index);
  }
  return rows.values();
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

  async #latents(index) {
    if (!this.decoded.has(index)) {
      const tileBox = this.tiles.box(index);
      const [h, w] = [heightOf(tileBox) / LATENT, widthOf(tileBox) / LATENT];
      const { level } = this.header;
      const plain = this.#plain(index);
      const y_hat = plain
        ? await this.model.analyse(padded(plain, this.tiles.visible(index), tileBox, this.grey), 16 * h, 16 * w, level)
        : this.#named(index, () =>
            this.model.exact.readTile(this.container.tile(index).payload, h, w, level, index),
          );
      this.decoded.set(index, { box: tileBox, y_hat });
    }
    return this.decoded.get(index);
  }

  // The latents of a region in units of y: Float32Array [M, h, w].
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
          const to = ((row - region.top) / LATENT) * w + (column - region.left) / LATENT;
          for (let c = 0; c < M; c++) y[c * h * w + to] = y_hat[from + c] * this.steps[c];
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
