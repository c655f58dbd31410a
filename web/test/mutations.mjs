// Mutated files through the page's decoder, in Node: `node web/test/mutations.mjs MODELS COUNT FILE...`, where MODELS is
// the folder that `cwic view --write` makes. Half of the files get right checksums again, so that damage goes deeper.
// Ends with 1 if a file ends in anything but a picture or a typed error, or takes more than five seconds of the processor.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32 } from '../src/decoder/crc.js';

const dist = join(dirname(fileURLToPath(import.meta.url)), '..', 'dist');
const { CwicError, Model, decode, open } = await import(join(dist, 'decoder.js'));
const [models, count, ...files] = process.argv.slice(2);
const MOST_SECONDS = 5;

// Numbers from 0 to below `limit`, the same in every run (a linear congruential generator).
let state = 12345;
const random = (limit) => {
  state = (Math.imul(state, 1103515245) + 12345) >>> 0;
  return Math.floor((state / 2 ** 32) * limit);
};

// In place of ONNX Runtime: networks see whole numbers that were checked before, so pixels are all that they could change.
class Tensor {
  constructor(type, data, dims) {
    Object.assign(this, { type, data, dims });
  }
}
const ort = {
  Tensor,
  InferenceSession: {
    create: async (bytes) => ({
      run: async (inputs) => new Proxy({}, { get: (_, name) => (name === 'then' ? undefined : output(inputs, config)) }),
    }),
  },
};
let config = null;
function output(inputs, { M, hyper_channels: C }) {
  if (inputs.y_hat) {
    const [, , h, w] = inputs.y_hat.dims;
    return new Tensor('float32', new Float32Array(3 * 256 * h * w), [1, 3, 16 * h, 16 * w]);
  }
  const [input] = Object.values(inputs).filter((each) => each.dims?.length === 4);
  const [, , h, w] = input.dims;
  const [channels, by] = inputs.x ? [192, 8] : inputs.features ? [M, 2] : [C, 4];
  return new Tensor('float32', new Float32Array((channels * h * w) / by ** 2), [1, channels, h / by, w / by]);
}

function mutated(source) {
  let data = Uint8Array.from(source);
  const changes = 1 + random(4);
  for (let k = 0; k < changes; k++) {
    const at = Math.min(random(random(3) ? data.length : 40), data.length);
    switch (random(6)) {
      case 0:
        data[at] ^= 1 << random(8);
        break;
      case 1:
        data[at] = random(256);
        break;
      case 2:
        data = data.slice(0, at);
        break;
      case 3:
        data.fill(random(2) * 255, at, at + random(64));
        break;
      case 4: {
        const from = random(data.length);
        data.copyWithin(at, from, from + random(64));
        break;
      }
      default: {
        const more = new Uint8Array(data.length + 4);
        more.set(data.subarray(0, at));
        more.set(data.subarray(at), at + 4);
        data = more;
      }
    }
  }
  return random(2) ? signed(data) : data;
}

// The checksums of all chunks that can still be found made right.
function signed(data) {
  try {
    const { spans, headerCrc } = partly(data);
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    for (const { offset, end } of spans) view.setUint32(end, crc32(data.subarray(offset, end), headerCrc), true);
  } catch {
    // Nothing can be found any more.
  }
  return data;
}

function partly(data) {
  let position = 10;
  for (let k = 0; k < 2; k++) {
    while (data[position] & 0x80) position++;
    position++;
  }
  const headerCrc = crc32(data.subarray(0, position));
  const spans = [];
  while (position < data.length) {
    let [length, at, shift] = [0, position + 1, 0];
    for (; data[at] & 0x80; at++, shift += 7) length += (data[at] & 0x7f) << shift;
    length += data[at++] << shift;
    if (!(length >= 0 && at + length + 4 <= data.length)) break;
    spans.push({ offset: position, end: at + length });
    position = at + length + 4;
  }
  return { spans, headerCrc };
}

const module = await WebAssembly.compile(readFileSync(join(dist, 'cwic.wasm')));
const opened = new Map();
function modelOf(id) {
  if (!opened.has(id)) {
    const bytes = (part) => new Uint8Array(readFileSync(join(models, `${id}${part}.safetensors`)));
    opened.set(id, new Model(bytes(''), { runtime: async () => ort, module, fetchAnalysis: async () => bytes('-analysis') }));
  }
  return opened.get(id);
}

const sources = files.map((file) => new Uint8Array(readFileSync(file)));
const ids = sources.map((source) => open(source).header.modelId);
const ends = {};
let [worst, wrong] = [0, 0];
for (let k = 0; k < Number(count); k++) {
  const which = random(sources.length);
  const data = mutated(sources[which]);
  const before = process.cpuUsage();
  let end = 'picture';
  try {
    const container = open(data);
    const id = container.header.modelId;
    const model = modelOf(ids.includes(id) ? id : ids[which]);
    config = model.config;
    await decode(container, model, { onPreview: async () => {}, onBlock: async () => {} });
  } catch (error) {
    end = error.constructor.name === 'CwicError' || !(error instanceof CwicError) ? `WRONG ${error.stack}` : error.name;
    if (process.env.SHOW) end += `: ${error.message}`;
  }
  const { user, system } = process.cpuUsage(before);
  const seconds = (user + system) / 1e6;
  if (seconds > worst) worst = seconds;
  if (seconds > MOST_SECONDS || end.startsWith('WRONG')) {
    wrong++;
    console.log(`file ${k}: ${end}, ${seconds.toFixed(1)} s`);
  }
  ends[end] = (ends[end] ?? 0) + 1;
}
console.log(JSON.stringify({ files: Number(count), ...ends, seconds_of_the_slowest: worst, wrong }));
process.exitCode = wrong ? 1 : 0;
