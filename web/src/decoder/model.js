// A model of the `cwic` family: the exact prior and the synthesis in wasm, and other networks in ONNX Runtime Web.
import { ModelError } from './errors.js';
import { Exact } from './exact.js';
import { linearPreview } from './preview.js';
import { Synthesis } from './synthesis.js';
import { Tensors } from './tensors.js';
import { windowInputs } from './windows.js';

const VALUE_BITS = 6;
const GAIN_BITS = 24;
const OCTAVE = 256;
const KNOT_SPACING = 128;
const Z_MAX = 31;
const WARM = 8; // positions a side

export class Model {
  // `bytes` are a file of `cwic.view.page_model`, `module` the compiled wasm module. `runtime` loads ONNX Runtime Web, if a
  // network needs it. `fetchAnalysis` gives the bytes of the networks that plain tiles need.
  constructor(bytes, { runtime, module, fetchAnalysis }) {
    this.runtime = runtime;
    this.module = module;
    this.tensors = new Tensors(bytes);
    this.id = this.tensors.metadata.model_id;
    this.name = this.tensors.metadata.name;
    this.config = parsed(this.tensors, 'config');
    const [positions, grid] = parsed(this.tensors, 'halo');
    this.halo = { positions, grid };
    this.exact = new Exact(module, this.config, this.tensors);
    this.linear = ['weight', 'bias'].map((part) => this.tensors.get(`preview.${part}`, 'F32').data);
    this.fetchAnalysis = fetchAnalysis;
    this.parts = parsed(this.tensors, 'synthesis');
    this.sessions = new Map();
    this.gainsAt = new Map();
  }

  // Works on nothing, so that the browser compiles the exact part well: at first it compiles fast, and its code is then
  // ten times as slow.
  warm() {
    const { M, hyper_channels: C } = this.config;
    this.exact.writeTile(new Float32Array(M * WARM ** 2), new Int16Array((C * WARM ** 2) / 16), WARM, WARM, 0);
  }

  // Loads the synthesis, which a first picture would wait for.
  async ready() {
    if (this.parts) this.synthesis ??= new Synthesis(this.module, this.config, this.tensors, this.parts);
    else await this.#session(this.tensors, 'g_s');
  }

  // x_hat Float32Array [3, 2 h, 2 w], not clamped, of squares of 8x8 pixels, of y_hat Int32Array [h, w, M]. At once.
  preview(y_hat, h, w, level) {
    return linearPreview(y_hat, h, w, this.steps(level), ...this.linear);
  }

  // x_hat Float32Array [3, 16 h, 16 w], not clamped, of latents in units of y, Float32Array [h, w, M].
  async synthesise(y, h, w, level) {
    await this.ready();
    if (this.synthesis) {
      const gains = this.synthesis.gains.map((name) => this.#gain(this.tensors, name, level));
      return this.synthesis.run(y, h, w, Float32Array.from(gains.flatMap((each) => [...each])));
    }
    const { M } = this.config;
    const planes = new Float32Array(y.length);
    for (let at = 0, from = 0; at < h * w; at++) for (let c = 0; c < M; c++, from++) planes[c * h * w + at] = y[from];
    const inputs = { y_hat: this.#floats(planes, [1, M, h, w]), ...this.#windows(h, w) };
    return (await this.#run(this.tensors, 'g_s', level, inputs)).data;
  }

  // The y_hat that the format prescribes for pixels: `x` Float32Array [3, H, W] in [0, 1], sides multiples of 64.
  async analyse(x, H, W, level) {
    this.analysis ??= new Tensors(await this.fetchAnalysis());
    if (this.analysis.metadata.model_id !== this.id) throw new ModelError('the networks that analyse are of another model');
    this.ort ??= await this.runtime();
    const [h, w] = [H / 16, W / 16];
    const { M, hyper_channels: C } = this.config;
    const features = await this.#run(this.analysis, 'features', level, { x: this.#floats(x, [1, 3, H, W]) });
    const y = await this.#run(this.analysis, 'g_a', level, { features, ...this.#windows(h, w) });
    const gain = Float32Array.from(this.gains(level).gain, (each) => each / 2 ** GAIN_BITS);
    const z = await this.#run(this.analysis, 'h_a', level, { y, gain: this.#floats(gain, [1, M, 1, 1]) });
    const rounded = new Int16Array(z.data.length);
    const positions = rounded.length / C;
    for (let c = 0; c < C; c++)
      for (let k = 0; k < positions; k++)
        rounded[k * C + c] = Math.max(-Z_MAX, Math.min(Z_MAX, roundHalfEven(z.data[c * positions + k])));
    return this.exact.writeTile(y.data, rounded, h, w, level);
  }

  // Steps by channel: what a unit of y_hat is worth in units of y.
  steps(level) {
    return Float64Array.from(this.gains(level).log2, (log2) => 2 ** (-log2 / OCTAVE - VALUE_BITS));
  }

  gains(level) {
    if (!this.gainsAt.has(level)) this.gainsAt.set(level, this.exact.gains(level));
    return this.gainsAt.get(level);
  }

  async #run(tensors, name, level, inputs) {
    const session = await this.#session(tensors, name);
    for (const input of parsed(tensors, 'inputs')[name])
      if (input.endsWith('.log2_gain')) {
        const gain = this.#gain(tensors, input, level);
        inputs[input] = this.#floats(gain, [1, gain.length, 1, 1]);
      }
    try {
      const outputs = await session.run(inputs);
      return outputs[parsed(tensors, 'outputs')[name]];
    } catch (error) {
      throw new ModelError(`the network ${name} cannot run: ${error.message}`);
    }
  }

  async #session(tensors, name) {
    if (!this.sessions.has(name)) {
      this.ort ??= await this.runtime();
      const { data } = tensors.get(`network.${name}`, 'U8');
      try {
        const options = { executionProviders: ['wasm'], graphOptimizationLevel: 'all' };
        this.sessions.set(name, await this.ort.InferenceSession.create(data, options));
      } catch (error) {
        throw new ModelError(`the network ${name} cannot be loaded: ${error.message}`);
      }
    }
    return this.sessions.get(name);
  }

  // The gains 2^x of log2 gains at knots, between two of them linear in x.
  #gain(tensors, name, level) {
    const { data, shape } = tensors.floats(name);
    const channels = shape[1];
    const [low, weight] = [Math.floor(level / KNOT_SPACING), (level % KNOT_SPACING) / KNOT_SPACING];
    const gain = new Float32Array(channels);
    for (let c = 0; c < channels; c++) {
      const [start, end] = [data[low * channels + c], data[(low + 1) * channels + c]];
      gain[c] = 2 ** Math.fround(start + Math.fround(Math.fround(end - start) * weight));
    }
    return gain;
  }

  #windows(h, w) {
    const { attention, attention_window: window } = this.config;
    if (attention === 'none') return {};
    const key = `${h}x${w}`;
    if (this.windowsOf !== key) {
      const { borders, ends, own, around } = windowInputs(h, w, window, window / 2, attention === 'cross-window');
      this.windowsOf = key;
      this.masks = {
        'attention.borders': new this.ort.Tensor('int64', borders, [8]),
        'attention.ends': new this.ort.Tensor('int64', ends, [2]),
        'attention.own': this.#floats(own.data, own.shape),
      };
      if (around) this.masks['attention.around'] = this.#floats(around.data, around.shape);
    }
    return this.masks;
  }

  #floats(data, shape) {
    return new this.ort.Tensor('float32', data, shape);
  }
}

function parsed(tensors, key) {
  try {
    return JSON.parse(tensors.metadata[key]);
  } catch {
    throw new ModelError(`the file of the model is malformed: its ${key}`);
  }
}

function roundHalfEven(x) {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest < 0.5 || (rest === 0.5 && floor % 2 === 0) ? floor : floor + 1;
}
