// Decoding from a page: a worker for all pictures, and a canvas that fills block by block.
import { coloured } from './colour.js';
import { InputError, LimitError, unpackError } from './decoder/errors.js';

const MAX_SIDE = 16384; // of a canvas
const MAX_PIXELS = 2 ** 28;

let worker = null;
let jobs = 0;
const waiting = new Map();

function start() {
  worker = new Worker(new URL('worker.js', import.meta.url), { type: 'module' });
  worker.onmessage = ({ data: { job, ...answer } }) => waiting.get(job)?.(answer);
  worker.onerror = (event) => {
    // What no job can answer for: the worker's script is missing, or it ran out of memory.
    const error = { kind: 'CwicError', message: event.message || 'the decoder could not be started' };
    for (const answer of [...waiting.values()]) answer({ error });
    worker.terminate();
    worker = null;
  };
}

// Begins to load what every picture needs, before the first one is there.
export function prepare() {
  if (!worker) start();
  worker.postMessage({ prepare: true });
}

// Decodes the bytes of a file, an ArrayBuffer or Uint8Array, and calls `onOpen` with what it says of itself, then
// `onBlock` with {left, top, width, height, rgba}. `onPreview` gets {left, top, width, height, columns, rows, rgba} before:
// small pictures, and what they cover. Resolves to what is said at the end: {model, milliseconds, threads}.
// `crop` is {left, top, width, height}; `turn` sets the picture upright; `models` is the URL of the models' folder;
// `signal` is an AbortSignal. Rejects with InputError, FormatError, LimitError or ModelError.
export function decodeBlocks(data, { crop = null, turn = true, models = '', signal, onOpen, onPreview, onBlock }) {
  if (!worker) start();
  const job = ++jobs;
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const finish = (settle, value) => {
      waiting.delete(job);
      settle(value);
    };
    waiting.set(job, ({ opened, preview, block, done, error }) => {
      try {
        if (opened) onOpen?.(opened);
        else if (preview) onPreview?.(preview);
        else if (block) onBlock?.(block);
        else if (done) finish(resolve, done);
        else finish(reject, unpackError(error));
      } catch (failure) {
        worker?.postMessage({ job, stop: true });
        finish(reject, failure);
      }
    });
    signal?.addEventListener('abort', () => {
      worker?.postMessage({ job, stop: true });
      finish(reject, signal.reason);
    });
    worker.postMessage({ job, data: new Uint8Array(data), crop, turn, small: Boolean(onPreview), models });
  });
}

// Decodes onto `canvas`, which takes the picture's size: small pictures first, then the whole. Options as `decodeBlocks`;
// with `colour` the picture's ICC profile is applied in the end. Resolves to all that is known of the picture; in its
// `milliseconds`, `preview` and `whole` say when the first small picture and the last block were there.
export async function decodeToCanvas(data, canvas, { colour = true, onOpen, onPreview, onBlock, ...options } = {}) {
  const started = performance.now();
  let said = null;
  let context = null;
  let preview = null;
  const done = await decodeBlocks(data, {
    ...options,
    onOpen: (opened) => {
      const { width, height } = opened;
      if (Math.max(width, height) > MAX_SIDE || width * height > MAX_PIXELS)
        throw new LimitError(`a picture of ${width}x${height} pixels is too large for a page`);
      said = opened;
      canvas.width = width;
      canvas.height = height;
      context = canvas.getContext('2d');
      onOpen?.(opened);
    },
    onPreview: (small) => {
      drawSmall(context, small);
      preview ??= performance.now() - started;
      onPreview?.(small);
    },
    onBlock: (block) => {
      context.putImageData(new ImageData(block.rgba, block.width, block.height), block.left, block.top);
      onBlock?.(block);
    },
  });
  const milliseconds = { ...done.milliseconds, preview, whole: performance.now() - started };
  if (colour && said.icc) await coloured(canvas, said.icc);
  return { ...said, ...done, milliseconds };
}

// Draws a small picture as large as what it stands for.
function drawSmall(context, { left, top, width, height, columns, rows, rgba }) {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [columns, rows];
  canvas.getContext('2d').putImageData(new ImageData(rgba, columns, rows), 0, 0);
  context.clearRect(left, top, width, height);
  context.drawImage(canvas, left, top, width, height);
}

// The bytes behind a URL, a File or a Blob. Rejects with InputError.
export async function bytesOf(source, signal) {
  try {
    if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer());
    const response = await fetch(source, { signal });
    if (!response.ok) throw new Error(`the server says ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new InputError(`cannot read the file: ${error.message}`);
  }
}
