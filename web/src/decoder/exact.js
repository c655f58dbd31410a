// All that decides bits, in the wasm module of native/ and web/wasm: its model, and its calls.
import { FormatError, ModelError } from './errors.js';
import { check, Instance } from './wasm.js';

const KNOTS = 9;
const PASSES = 4;
const MAGNITUDES = 4081;
const GAIN_MAGNITUDES = 5633;
const COSTS = 64;
const PRECISION = 24;
const ESCAPE_BITS = 16;

// What native/model.c reads, in its order: [name, type, shape].
function layout({ M, hyper_channels: C, hyper_width: W, context_width: D, context_blocks: blocks }) {
  const layer = (name, weight, outputs) => [
    [`prior.networks.${name}.weight`, 'I8', weight],
    [`prior.networks.${name}.multiplier`, 'I32', outputs],
    [`prior.networks.${name}.bias`, 'I32', outputs],
  ];
  const half = M / 2;
  const rows = [
    ...layer('h_s.enter', [W, C], [W]),
    ...layer('h_s.mix', [W, 9], [W]),
    ...layer('h_s.enlarge', [4 * W, W], [4 * W]),
    ...layer('h_s.mix_enlarged', [W, 9], [W]),
    ...layer('h_s.leave', [4 * D, W], [4 * D]),
    ...layer('context.embed', [4, D, half], [4, D]),
  ];
  for (let k = 0; k < PASSES; k++) {
    for (let i = 0; i < blocks; i++)
      rows.push(
        ...layer(`context.blocks.${k}.${i}.mix`, [D, 9], [D]),
        ...layer(`context.blocks.${k}.${i}.expand`, [D, D], [D]),
        ...layer(`context.blocks.${k}.${i}.project`, [D, D], [D]),
      );
    rows.push(...layer(`context.heads.${k}`, [4, half, D], [4, half]));
    rows.push([`prior.networks.context.level.${k}.value`, 'I32', [KNOTS, D]]);
  }
  return [
    ...rows,
    ['prior.networks.log2_gain.value', 'I32', [KNOTS, M]],
    ['prior.networks.z_log2_scale.value', 'I32', [KNOTS, C]],
    ['prior.exp2_table', 'I32', [256]],
    ['prior.magnitude_table', 'I32', [MAGNITUDES]],
    ['prior.gain_magnitude_table', 'I32', [GAIN_MAGNITUDES]],
  ];
}

// Bits of the likeliest symbol, and of the magnitudes 0 ... 63, of each table. They bound and choose; they decide no bit.
function costsOf(offsets, frequencies) {
  const count = offsets.length - 1;
  const least = new Float64Array(count);
  const costs = new Float64Array(count * COSTS);
  for (let t = 0; t < count; t++) {
    const table = frequencies.subarray(offsets[t], offsets[t + 1]);
    const reach = table.length / 2 - 1;
    least[t] = PRECISION - Math.log2(table.reduce((a, b) => Math.max(a, b), 1));
    const escape = PRECISION - Math.log2(table[table.length - 1]) + ESCAPE_BITS;
    for (let k = 0; k < COSTS; k++)
      costs[t * COSTS + k] = k <= reach ? PRECISION - Math.log2(table[reach + k]) : escape;
  }
  return { least, costs };
}

export class Exact extends Instance {
  // `module` is the compiled wasm module. Throws ModelError if the tensors are not what `config` says.
  constructor(module, config, tensors) {
    super(module);
    this.config = config;
    this.parts = layout(config).map(([name, dtype, shape]) => {
      const tensor = tensors.get(name, dtype);
      if (tensor.shape.join() !== shape.join())
        throw new ModelError(`${name} of the model is [${tensor.shape}], not [${shape}]`);
      return tensor.data;
    });
    const offsets = tensors.get('tables.offsets', 'I32').data;
    const frequencies = tensors.get('tables.frequencies', 'I32').data;
    const { least, costs } = costsOf(offsets, frequencies);
    this.tables = offsets.length - 1;
    this.frequencies = frequencies.length;
    this.parts.push(offsets, frequencies, least, costs);
    this.start();
  }

  // y_hat, Int32Array [h, w, M] with 6 fractional bits, in quantisation steps, of tile number `tile` of `h` by `w`
  // positions. Throws FormatError.
  readTile(payload, h, w, level, tile) {
    if (payload.length < 2) throw new FormatError('a tile is shorter than its checksum');
    const coded = payload.subarray(2);
    return this.#latents(h, w, (y_hat) => {
      const crc = payload[0] | (payload[1] << 8);
      const data = this.put(coded);
      return this.wasm.tile_read(this.decoder, data, coded.length, crc, tile, h, w, level, y_hat);
    });
  }

  // y_hat of analysed pixels: `y` Float32Array [M, h, w], `z` Int16Array [h/4, w/4, C] (docs/format.md, section 8).
  writeTile(y, z, h, w, level) {
    return this.#latents(h, w, (y_hat) =>
      this.wasm.tile_write(this.decoder, this.put(y), this.put(z), h, w, level, y_hat),
    );
  }

  // The plane [height, width] in its coded form. Throws FormatError.
  readPlane(payload, height, width) {
    return this.call(() => {
      const out = this.take(height * width);
      check(this.wasm.plane_read(this.put(payload), payload.length, height, width, out));
      return new Uint8Array(this.wasm.memory.buffer, out, height * width).slice();
    });
  }

  // Of every channel of y at `level`: log2 of the gain in 1/256 octaves, and the gain with 24 fractional bits.
  gains(level) {
    return this.call(() => {
      const { M } = this.config;
      const [log2, gain] = [this.take(4 * M), this.take(8 * M)];
      check(this.wasm.decoder_gains(this.decoder, level, log2, gain));
      const { buffer } = this.wasm.memory;
      return { log2: new Int32Array(buffer, log2, M).slice(), gain: new Float64Array(buffer, gain, M).slice() };
    });
  }

  load() {
    const size = (part) => (part.byteLength + 15) & ~15;
    const block = this.take(this.parts.reduce((sum, part) => sum + size(part), 0));
    let at = block;
    for (const part of this.parts) {
      this.view(at, part.byteLength).set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
      at += size(part);
    }
    const { M, hyper_channels: C, hyper_width: W, context_width: D, context_blocks: blocks } = this.config;
    this.decoder = this.wasm.decoder_load(block, M, C, W, D, blocks, this.tables, this.frequencies);
    if (!this.decoder) throw new ModelError('the integer tensors of the model do not fit together');
  }

  #latents(h, w, work) {
    return this.call(() => {
      const count = h * w * this.config.M;
      const y_hat = this.take(4 * count);
      check(work(y_hat));
      return new Int32Array(this.wasm.memory.buffer, y_hat, count).slice();
    });
  }
}
