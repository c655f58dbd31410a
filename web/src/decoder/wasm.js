// An instance of the wasm module of native/ and web/wasm: its memory, and how its calls end.
import { CwicError, FormatError, LimitError, ModelError } from './errors.js';

const STATUS = [
  null,
  () => new LimitError('there is not enough memory to decode this picture'),
  () => new FormatError('coded symbols are not a whole number of 32-bit words'),
  () => new FormatError('coded symbols are damaged'),
  () => new FormatError('coded symbols are damaged: there are more symbols than the data can hold'),
  () => new FormatError('coded symbols are damaged: an escape is out of range'),
  () => new FormatError('the coded data hold a hyper-latent that no encoder writes'),
  () => new FormatError('coded symbols are damaged: they do not end with the data'),
  () => new FormatError('the decoded symbols are not those that were written: their checksum differs'),
  () => new FormatError('the coded plane is damaged'),
  () => new FormatError('the coded plane is damaged: it is cut short'),
  () => new FormatError('the coded plane is damaged: it is too long'),
  () => new ModelError('the tables of the model do not fit its scales'),
];

export function check(status) {
  if (status) throw (STATUS[status] ?? (() => new CwicError(`the decoder failed: ${status}`)))();
}

export class Instance {
  // `module` is the compiled wasm module. Classes call `start`, which calls their `load`, once they are ready for it.
  constructor(module) {
    this.module = module;
  }

  start() {
    this.wasm = new WebAssembly.Instance(this.module, {}).exports;
    this.load();
    this.idle = this.wasm.memory.buffer.byteLength;
  }

  // Runs `work`, whose memory in the arena is free again afterwards. After one that took much, or failed in the module
  // itself, a new instance begins: a module's memory never shrinks.
  call(work) {
    const mark = this.wasm.arena_mark();
    try {
      const result = work();
      this.wasm.arena_release(mark);
      if (this.wasm.memory.buffer.byteLength > this.idle + 2 ** 28) this.start();
      return result;
    } catch (error) {
      if (error instanceof CwicError) {
        this.wasm.arena_release(mark);
        throw error;
      }
      this.start();
      if (error instanceof RangeError) throw STATUS[1]();
      throw new CwicError(`the decoder failed: ${error.message}`);
    }
  }

  take(size) {
    const at = this.wasm.arena_take(size) >>> 0;
    if (!at) throw STATUS[1]();
    return at;
  }

  put(array) {
    const at = this.take(array.byteLength);
    this.view(at, array.byteLength).set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
    return at;
  }

  view(at, size) {
    return new Uint8Array(this.wasm.memory.buffer, at, size);
  }
}
