// Small pictures, a pixel for each square of SQUARE by SQUARE: at once, without the synthesis (docs/scale.md).
import { box, heightOf, widthOf } from './grid.js';

export const SQUARE = 8;
const PER_LATENT = 4; // squares of a latent, in raster order

// The squares that a box meets.
export function shrunk(area) {
  const down = (side) => Math.floor(side / SQUARE);
  const up = (side) => Math.ceil(side / SQUARE);
  return box(down(area.top), down(area.left), up(area.bottom), up(area.right));
}

// x_hat Float32Array [3, 2 h, 2 w], not clamped, of `y_hat` Int32Array [h, w, M] whose units are `steps` of y: the
// linear maps of g_s as one, Float32Array `weight` [12, M] and `bias` [12].
export function linearPreview(y_hat, h, w, steps, weight, bias) {
  const M = steps.length;
  const scaled = Float64Array.from(weight, (value, at) => value * steps[at % M]);
  const x_hat = new Float32Array(3 * PER_LATENT * h * w);
  for (let row = 0, from = 0; row < h; row++)
    for (let column = 0; column < w; column++, from += M)
      for (let k = 0; k < 3 * PER_LATENT; k++) {
        let sum = bias[k];
        for (let c = 0, at = k * M; c < M; c++, at++) sum += scaled[at] * y_hat[from + c];
        const [plane, below, right] = [k >> 2, (k >> 1) & 1, k & 1];
        x_hat[(plane * 2 * h + 2 * row + below) * 2 * w + 2 * column + right] = sum;
      }
  return x_hat;
}

// The mean of each square of planes of samples of `area`, rounded; squares at the end may be cut.
export function meansOfSquares(samples, area) {
  const [height, width, small] = [heightOf(area), widthOf(area), shrunk(area)];
  const [rows, columns] = [heightOf(small), widthOf(small)];
  const planes = samples.length / (height * width);
  const means = new Uint8Array(planes * rows * columns);
  for (let plane = 0, to = 0; plane < planes; plane++)
    for (let row = 0; row < height; row += SQUARE)
      for (let column = 0; column < width; column += SQUARE) {
        const [bottom, right] = [Math.min(row + SQUARE, height), Math.min(column + SQUARE, width)];
        let sum = 0;
        for (let y = row; y < bottom; y++)
          for (let x = column; x < right; x++) sum += samples[(plane * height + y) * width + x];
        means[to++] = Math.floor(sum / ((bottom - row) * (right - column)) + 0.5);
      }
  return means;
}
