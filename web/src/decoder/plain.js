// Plain tiles: pixels coded without a network (docs/format.md, section 8).
import { FormatError } from './errors.js';

const MAX_SHIFT = 7;

// The samples of a plain tile, `channels` planes [height, width] one below the other. Throws FormatError.
export function readPlain(exact, payload, height, width, channels) {
  if (!payload.length || payload[0] > MAX_SHIFT)
    throw new FormatError('a plain tile is damaged: it has no number of bits');
  const [shift] = payload;
  const samples = exact.readPlane(payload.subarray(1), channels * height, width);
  const [most, half] = [255 >> shift, (1 << shift) >> 1];
  for (let k = 0; k < samples.length; k++) {
    if (samples[k] > most) throw new FormatError('a plain tile is damaged: a sample is too large');
    samples[k] = (samples[k] << shift) + half;
  }
  return samples;
}
