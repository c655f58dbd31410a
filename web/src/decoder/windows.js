// What window attention needs to know of a map's size, as cwic.networks.windows gives it: masks and borders.

const MASKED = -100;
const PADDING = 9;

// {borders, ends, own, around}: BigInt64Array, BigInt64Array and tensors {data, shape}; see the Python twin.
export function windowInputs(height, width, window, shift, cross) {
  const rows = Math.ceil(height / window) * window;
  const columns = Math.ceil(width / window) * window;
  const [down, across] = [bands(rows, window, shift), bands(columns, window, shift)];
  const label = new Float32Array(rows * columns);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) {
      const beyond = (r + shift) % rows >= height || (c + shift) % columns >= width;
      label[r * columns + c] = beyond ? PADDING : down[r] * 3 + across[c];
    }
  const own = cut(label, rows, columns, window);
  const inputs = {
    borders: BigInt64Array.from([0, 0, 0, 0, 0, 0, rows - height, columns - width].map(BigInt)),
    ends: BigInt64Array.from([height, width].map(BigInt)),
    own: mask(own, own),
  };
  if (cross) inputs.around = mask(own, quarters(label, rows, columns, window));
  return inputs;
}

// The three bands of a rolled axis: untouched windows, and the two parts of the last one that met by rolling.
function bands(size, window, shift) {
  const band = new Float32Array(size);
  if (shift) band.fill(1, size - window).fill(2, size - shift);
  return band;
}

// Squares in raster order: [H/side, W/side, side * side].
function cut(x, height, width, side) {
  const [rows, columns] = [height / side, width / side];
  const data = new Float32Array(height * width);
  let at = 0;
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++)
      for (let y = 0; y < side; y++)
        for (let k = 0; k < side; k++) data[at++] = x[(r * side + y) * width + c * side + k];
  return { data, rows, columns, size: side * side };
}

// The labels of the keys around each window, at half the resolution: four quarters of its region.
function quarters(label, rows, columns, window) {
  const [h, w, border] = [rows / 2, columns / 2, window / 4];
  const half = new Float32Array(h * w);
  for (let r = 0; r < h; r++)
    for (let c = 0; c < w; c++) {
      const at = 2 * r * columns + 2 * c;
      half[r * w + c] = (label[at] + label[at + 1] + label[at + columns] + label[at + columns + 1]) / 4;
    }
  const mirror = (k, size) => (k < 0 ? -k : k >= size ? 2 * (size - 1) - k : k);
  const [H, W] = [h + 2 * border, w + 2 * border];
  const padded = new Float32Array(H * W);
  for (let r = 0; r < H; r++)
    for (let c = 0; c < W; c++) padded[r * W + c] = half[mirror(r - border, h) * w + mirror(c - border, w)];
  const blocks = cut(padded, H, W, window / 2);
  const { size } = blocks;
  const [nH, nW] = [blocks.rows - 1, blocks.columns - 1];
  const data = new Float32Array(nH * nW * 4 * size);
  let at = 0;
  for (let r = 0; r < nH; r++)
    for (let c = 0; c < nW; c++)
      for (let quarter = 0; quarter < 4; quarter++) {
        const from = ((r + (quarter >> 1)) * blocks.columns + c + (quarter & 1)) * size;
        data.set(blocks.data.subarray(from, from + size), at);
        at += size;
      }
  return { data, rows: nH, columns: nW, size: 4 * size };
}

function mask(query, key) {
  const { rows, columns, size } = query;
  const data = new Float32Array(rows * columns * size * key.size);
  let at = 0;
  for (let window = 0; window < rows * columns; window++)
    for (let q = 0; q < size; q++) {
      const own = query.data[window * size + q];
      for (let k = 0; k < key.size; k++, at++) if (own !== key.data[window * key.size + k]) data[at] = MASKED;
    }
  return { data, shape: [rows, columns, 1, size, key.size] };
}
