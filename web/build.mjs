// Bundles web/src into web/dist, with the part of ONNX Runtime Web that it needs: `npm run build` calls it.
import { build } from 'esbuild';
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, 'dist');
const runtime = join(here, 'node_modules', 'onnxruntime-web', 'dist');

await build({
  absWorkingDir: here,
  entryPoints: { cwic: 'src/cwic.js', worker: 'src/worker.js', viewer: 'src/page/viewer.js', decoder: 'src/decoder/index.js' },
  outdir: dist,
  bundle: true,
  format: 'esm',
  target: 'es2022',
  minify: true,
  keepNames: true, // errors are known by them
  legalComments: 'eof',
  conditions: ['onnxruntime-web-use-extern-wasm'],
  external: ['./cwic.js'], // the viewer shares the module of <cwic-image>
  logLevel: 'warning',
});
copyFileSync(join(runtime, 'ort-wasm-simd-threaded.mjs'), join(dist, 'ort-wasm-simd-threaded.mjs'));
// A quarter of its size: the worker inflates it where the server did not say that it is gzipped.
const wasm = 'ort-wasm-simd-threaded.wasm';
writeFileSync(join(dist, `${wasm}.gz`), gzipSync(readFileSync(join(runtime, wasm)), { level: 9 }));
for (const name of readdirSync(join(here, 'src', 'page')))
  if (!name.endsWith('.js')) copyFileSync(join(here, 'src', 'page', name), join(dist, name));
