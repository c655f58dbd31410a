// Safetensors files: a length, a header of JSON, and the tensors' bytes.
import { ModelError } from './errors.js';

const ARRAYS = { U8: Uint8Array, I8: Int8Array, I32: Int32Array, F32: Float32Array, F16: Uint16Array };

let halves = null; // what each of all float16 numbers is

export class Tensors {
  // Throws ModelError for bytes that are no safetensors file.
  constructor(bytes) {
    try {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const size = Number(view.getBigUint64(0, true));
      this.rows = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + size)));
      this.metadata = this.rows.__metadata__;
      this.bytes = bytes.subarray(8 + size);
      if (typeof this.metadata.model_id !== 'string') throw new TypeError('it names no model');
    } catch (error) {
      throw new ModelError(`the file of the model is malformed: ${error.message}`);
    }
  }

  // A tensor as {data, shape}. Throws ModelError if it is not there, of another type, or not all there.
  get(name, dtype) {
    const row = this.rows[name];
    if (!row || row.dtype !== dtype) throw new ModelError(`the file of the model lacks ${name} of type ${dtype}`);
    const kind = ARRAYS[dtype];
    const [start, end] = row.data_offsets;
    const count = row.shape.reduce((product, side) => product * side, 1);
    if (end > this.bytes.length || end - start !== count * kind.BYTES_PER_ELEMENT)
      throw new ModelError(`the file of the model is cut short at ${name}`);
    return { data: new kind(this.bytes.slice(start, end).buffer), shape: row.shape };
  }

  // The same as floats, of float16 or float32.
  floats(name) {
    const { data, shape } = this.get(name, this.rows[name]?.dtype === 'F16' ? 'F16' : 'F32');
    if (!(data instanceof Uint16Array)) return { data, shape };
    halves ??= Float32Array.from({ length: 2 ** 16 }, (_, half) => halfToFloat(half));
    const floats = new Float32Array(data.length);
    for (let k = 0; k < data.length; k++) floats[k] = halves[data[k]];
    return { data: floats, shape };
  }
}

function halfToFloat(half) {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
}
