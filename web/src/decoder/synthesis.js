// The synthesis of a model without attention, in an instance of the wasm module: web/wasm/synthesis.c.
import { LimitError, ModelError } from './errors.js';
import { check, Instance } from './wasm.js';

const LAYERS = 5; // of a block: their weights, then their biases, then the names of two gains
const TAPS = 9;
const PLANES = 192;

export class Synthesis extends Instance {
  // `parts` names the tensors of g_s (cwic.networks.trunk.Synthesis). Throws ModelError if they do not fit `config`.
  constructor(module, config, tensors, parts) {
    super(module);
    this.config = config;
    this.tensors = tensors;
    this.parts = parts;
    this.start();
  }

  // The names of the gains, in the order in which `run` takes them.
  get gains() {
    return this.parts.blocks.flatMap((names) => names.slice(2 * LAYERS));
  }

  // x_hat Float32Array [3, 16 h, 16 w], not clamped, of latents in units of y, Float32Array [h, w, M]. `gains` is a
  // Float32Array of them all.
  run(y, h, w, gains) {
    return this.call(() => {
      const count = 3 * 16 * h * 16 * w;
      const x_hat = this.take(4 * count);
      check(this.wasm.synthesis_run(this.handle, this.put(y), h, w, this.put(gains), x_hat));
      return new Float32Array(this.wasm.memory.buffer, x_hat, count).slice();
    });
  }

  load() {
    const { M, trunk: C } = this.config;
    const { enter, blocks, slope, leave } = this.parts;
    this.handle = this.wasm.synthesis_take(M, C, blocks.length);
    if (!this.handle) throw new LimitError('there is not enough memory for the networks of this model');
    this.#fill((put) => check(this.wasm.synthesis_enter(this.handle, put(enter, 4 * C * M))));
    this.#fill((put) => this.wasm.synthesis_leave(this.handle, put(leave[0], PLANES * C), put(leave[1], PLANES)));
    const sizes = [C * C, C * C, 2 * C * C, C * C, TAPS * C, C, C, 2 * C, C, C];
    for (const [number, names] of blocks.entries())
      this.#fill((put) => {
        const addresses = Uint32Array.from(sizes, (size, k) => put(names[k], size));
        this.wasm.synthesis_block(this.handle, number, this.put(addresses), slope);
      });
  }

  // Gives `work` a function that puts a tensor of so many numbers into memory, which is free again afterwards.
  #fill(work) {
    const mark = this.wasm.arena_mark();
    work((name, count) => {
      const { data } = this.tensors.floats(name);
      if (data.length !== count) throw new ModelError(`${name} of the model has ${data.length} numbers, not ${count}`);
      return this.put(data);
    });
    this.wasm.arena_release(mark);
  }
}
