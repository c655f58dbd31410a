// The worker: files in, blocks of pixels out. The page stays responsive whatever the size of a picture.
import * as ort from 'onnxruntime-web/wasm';
import { decode, open } from './decoder/decode.js';
import { CwicError, ModelError, packError } from './decoder/errors.js';
import { Model } from './decoder/model.js';
import { orientationOf, turnBlock, turnedSize, turnPreview } from './decoder/orient.js';

const MAX_THREADS = 8;

// A network of one operator: to load it is to load the runtime.
const SMALLEST =
  'CAk6ZgoMCgF4EgF5IgRSZWx1EgRjd2ljWicKAXgSIgogCAESHAoFEgN4LjAKBRIDeC4xCgUSA3guMgoFEgN4LjNiJwoBeRIiCiAIARIcCgUSA3ku' +
  'MAoFEgN5LjEKBRIDeS4yCgUSA3kuM0ICEBQ=';

const base = new URL('.', self.location.href);
const models = new Map();
const stopped = new Set();
let module = null;
let runtime = null;
let queue = Promise.resolve();

ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency || 1, MAX_THREADS) : 1;
ort.env.wasm.wasmPaths = { mjs: new URL('ort-wasm-simd-threaded.mjs', base).href };

self.onmessage = ({ data: message }) => {
  if (message.prepare) prepare();
  else if (message.stop) stopped.add(message.job);
  else queue = queue.then(() => work(message));
};

// Begins to load what every picture needs; a failure is told to the picture that waits for it.
function prepare() {
  module ??= fetched(new URL('cwic.wasm', base), 'the decoder').then((bytes) => WebAssembly.compile(bytes));
  module.catch(() => {});
}

// Only models with attention, and plain tiles beside others, need it.
async function loadRuntime() {
  try {
    const bytes = await fetched(new URL('ort-wasm-simd-threaded.wasm.gz', base), 'ONNX Runtime');
    ort.env.wasm.wasmBinary = await inflated(bytes);
    await ort.InferenceSession.create(Uint8Array.from(atob(SMALLEST), (c) => c.charCodeAt(0)));
    ort.env.wasm.wasmBinary = undefined; // it is compiled: its bytes need no memory any more
    return ort;
  } catch (error) {
    throw error instanceof CwicError ? error : new ModelError(`ONNX Runtime cannot be loaded: ${error.message}`);
  }
}

// What is in a gzip file. A server that sends one with Content-Encoding: gzip has the browser inflate it on the way.
async function inflated(bytes) {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Answers {job, ...}: `opened`, then `preview` and `block`, as many as there are, then `done`; or `error` at any time.
async function work({ job, data, crop, turn, small, models: from }) {
  const say = async (answer, transfer = []) => {
    self.postMessage({ job, ...answer }, transfer);
    await new Promise((resolve) => setTimeout(resolve)); // lets the message that stops this job in
  };
  try {
    if (stopped.has(job)) return;
    const started = performance.now();
    const container = open(data);
    const { header } = container;
    const orientation = turn ? orientationOf(container.side('e'), container.side('x')) : 1;
    const size = crop ?? header;
    const { width, height } = turnedSize(size, orientation);
    const quality = header.level / 10;
    const { modelId, mode, columns, rows } = header;
    const icc = container.side('i')?.slice() ?? null;
    say({ opened: { width, height, mode, modelId, quality, tiles: columns * rows, orientation, icc, bytes: data.length } });
    const model = await modelOf(modelId, from);
    let loading = performance.now() - started;
    const showSmall = async (preview) => {
      const turned = turnPreview(preview, size, orientation);
      await say({ preview: turned }, [turned.rgba.buffer]);
    };
    await decode(container, model, {
      crop,
      isStopped: () => stopped.has(job),
      onPreview: small ? showSmall : null,
      beforeSynthesis: async () => {
        const before = performance.now();
        await model.ready();
        loading += performance.now() - before;
      },
      onBlock: async (block) => {
        const turned = turnBlock(block, size, orientation);
        await say({ block: turned }, [turned.rgba.buffer]);
      },
    });
    const milliseconds = { loading, decoding: performance.now() - started - loading };
    say({ done: { model: model.name, milliseconds, threads: model.ort ? ort.env.wasm.numThreads : 1 } });
  } catch (error) {
    say({ error: packError(error) });
  } finally {
    stopped.delete(job);
  }
}

async function modelOf(id, from) {
  const folder = new URL(from || 'models/', base);
  if (!models.has(id)) {
    prepare();
    const missing = `the file was written with model ${id}, which this page does not have`;
    const bytes = await fetched(new URL(`${id}.safetensors`, folder), `model ${id}`, missing);
    const fetchAnalysis = () => fetched(new URL(`${id}-analysis.safetensors`, folder), `the analysis of model ${id}`);
    const model = new Model(bytes, { runtime: () => (runtime ??= loadRuntime()), module: await module, fetchAnalysis });
    if (model.id !== id) throw new ModelError(missing);
    model.warm();
    models.set(id, model);
  }
  return models.get(id);
}

async function fetched(url, what, missing = `${what} is missing on the server`) {
  let response;
  try {
    response = await fetch(url);
  } catch (error) {
    throw new ModelError(`${what} cannot be loaded: ${error.message}`);
  }
  if (!response.ok) throw new ModelError(response.status === 404 ? missing : `${what}: the server says ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}
