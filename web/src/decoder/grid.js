// The geometry of tiles (docs/format.md, section 2). A box is {top, left, bottom, right}, the ends excluded.

export const LATENT = 16;
const ALIGNMENT = 64;
// Pixels a side of what is synthesised at once: bounds memory for files whose tiles are larger.
const BLOCK = 1024;

export const box = (top, left, bottom, right) => ({ top, left, bottom, right });
export const heightOf = (b) => b.bottom - b.top;
export const widthOf = (b) => b.right - b.left;

export function within(a, b) {
  return box(
    Math.max(a.top, b.top),
    Math.max(a.left, b.left),
    Math.min(a.bottom, b.bottom),
    Math.min(a.right, b.right),
  );
}

export class Tiles {
  constructor({ width, height, tileSize, columns, rows }) {
    const padded = (side) => Math.ceil(side / ALIGNMENT) * ALIGNMENT;
    this.picture = box(0, 0, height, width);
    this.padded = box(0, 0, padded(height), padded(width));
    this.side = tileSize ?? Math.max(this.padded.bottom, this.padded.right);
    this.columns = columns;
    this.count = columns * rows;
  }

  // A tile with its padding: both sides are multiples of 64.
  box(index) {
    const [top, left] = [Math.floor(index / this.columns) * this.side, (index % this.columns) * this.side];
    return within(box(top, left, top + this.side, left + this.side), this.padded);
  }

  // The part of a tile that is in the picture.
  visible(index) {
    return within(this.box(index), this.picture);
  }

  // The tiles that have pixels of `area`, in raster order.
  meeting(area) {
    const tiles = [];
    for (let row = Math.floor(area.top / this.side); row * this.side < area.bottom; row++)
      for (let column = Math.floor(area.left / this.side); column * this.side < area.right; column++)
        tiles.push(row * this.columns + column);
    return tiles;
  }

  // The region that a transform needs for `area`: larger by its halo, on its grid, ended where the picture ends.
  around(area, { positions, grid }) {
    const [margin, step] = [positions * LATENT, grid * LATENT];
    const down = (side) => Math.floor((side - margin) / step) * step;
    const up = (side) => Math.ceil((side + margin) / step) * step;
    return within(box(down(area.top), down(area.left), up(area.bottom), up(area.right)), this.padded);
  }
}

// What to synthesise of a tile to see `area`: boxes of whole positions of y, of at most BLOCK pixels a side.
export function blocks(tile, area) {
  const seen = within(tile, area);
  const [top, left] = [seen.top, seen.left].map((side) => Math.floor(side / LATENT) * LATENT);
  const [bottom, right] = [seen.bottom, seen.right].map((side) => Math.ceil(side / LATENT) * LATENT);
  const found = [];
  for (let row = top; row < bottom; row += BLOCK)
    for (let column = left; column < right; column += BLOCK)
      found.push(within(box(row, column, Math.min(row + BLOCK, bottom), Math.min(column + BLOCK, right)), tile));
  return found;
}
