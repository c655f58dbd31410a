// The page of web/dist and of `cwic view`: files in, pictures out, beside what they are compared with.
import { bytesOf, CwicError, decodeToCanvas, InputError, prepare } from './cwic.js';
import { psnr, showFacts } from './facts.js';
import { Server } from './server.js';
import { Stage } from './stage.js';

const $ = (id) => document.getElementById(id);
const api = document.body.dataset.api;
const server = api ? new Server(new URL(api, document.baseURI).href) : null;
const stage = new Stage($('view'), (scale) => ($('scale').textContent = `${Math.round(scale * 1000) / 10} %`));
const LABELS = { original: 'Original', jpeg: 'JPEG', webp: 'WebP', avif: 'AVIF' };

let entries = []; // {name, id | file, original: a File, quality, model}
let current = null;
let run = null; // AbortController of what is being shown

const state = { first: null, second: null, known: null };

function busy(text) {
  $('busy').hidden = !text;
  $('busy').textContent = text ?? '';
}

function fail(error) {
  busy(null);
  if (error.name === 'AbortError') return;
  $('error').hidden = false;
  $('error').textContent = error instanceof CwicError ? error.message : `this page failed: ${error.message}`;
}

// Shows an entry: decodes it, then what stands beside it.
async function show(entry, settings = null) {
  run?.abort();
  run = new AbortController();
  const { signal } = run;
  current = entry;
  $('file').value = String(entries.indexOf(entry));
  $('hint').hidden = $('error').hidden = true;
  document.title = `${entry.name} - cwic`;
  if (!settings) showFacts($('facts').tBodies[0], []);
  try {
    busy(settings ? 'encoding …' : 'reading …');
    entry.settings = settings ?? entry.settings ?? {};
    const data = entry.file ? await bytesOf(entry.file) : await server.cwic(entry.id, entry.settings);
    signal.throwIfAborted();
    busy('decoding …');
    const canvas = document.createElement('canvas');
    let seen = false;
    let shown = 0;
    let tiles = 1;
    const redraw = () => {
      signal.throwIfAborted();
      if (seen) return stage.draw();
      seen = true;
      const fits = state.second?.width === canvas.width && state.second?.height === canvas.height;
      stage.show(canvas, settings && fits ? state.second : null);
    };
    state.known = await decodeToCanvas(data, canvas, {
      signal,
      onOpen: (opened) => (tiles = opened.tiles),
      onPreview: () => settings || redraw(), // encoded anew, the picture of before stays until then
      onBlock: () => {
        redraw();
        shown++;
        if (tiles > 1) busy(`decoding … ${Math.min(shown, tiles)} of ${tiles} tiles`);
      },
    });
    state.first = canvas;
    entry.facts = { bytes: data.length, bpp: (8 * data.length) / (canvas.width * canvas.height) };
    $('zooms').hidden = false;
    controls(entry);
    await beside(signal);
  } catch (error) {
    if (signal.aborted) return;
    state.first = state.second = null;
    stage.show(null, null);
    showFacts($('facts').tBodies[0], []);
    for (const id of ['zooms', 'ways', 'beside']) $(id).hidden = true;
    fail(error);
  }
}

// The controls that this entry has.
function controls(entry) {
  const choices = [];
  if (entry.original) choices.push('original');
  if (server && entry.original) choices.push(...server.others);
  const other = $('other');
  const chosen = choices.includes(other.value) ? other.value : choices[0];
  other.replaceChildren(...choices.map((name) => new Option(LABELS[name] ?? name, name)));
  if (chosen) other.value = chosen;
  $('beside').hidden = $('ways').hidden = !choices.length;
  const encodes = Boolean(server && entry.original && entry.id !== undefined);
  $('requality').hidden = $('remodel').hidden = !encodes;
  if (encodes) {
    $('quality').value = state.known.quality;
    $('quality-value').textContent = state.known.quality;
    if ([...$('model').options].some((option) => option.value === state.known.model)) $('model').value = state.known.model;
  }
}

// Shows what is chosen to stand beside the decoded picture, and measures both.
async function beside(signal = run.signal) {
  const entry = current;
  const choice = $('beside').hidden ? null : $('other').value;
  try {
    let second = null;
    let bytes = null;
    if (choice) {
      busy(choice === 'original' ? 'reading the original …' : `encoding ${LABELS[choice]} …`);
      const data =
        choice === 'original'
          ? entry.id === undefined
            ? await bytesOf(entry.original)
            : await server.original(entry.id)
          : await server.other(entry.id, choice, entry.settings);
      bytes = data.length;
      second = await canvasOf(data, Boolean(state.known.icc));
      signal.throwIfAborted();
      if (second.width !== state.first.width || second.height !== state.first.height)
        throw new InputError(`${entry.name} and what stands beside it are not of the same size`);
    }
    state.second = second;
    stage.show(state.first, second);
    busy(null);
    facts(entry, choice, bytes);
    if (server && entry.id !== undefined && choice) await measure(entry, choice, bytes, signal);
  } catch (error) {
    if (!signal.aborted) fail(error);
  }
}

function facts(entry, choice, bytes, measured = {}, other = {}) {
  const { known, first, second } = state;
  const time = Math.round(known.milliseconds.decoding);
  const threads = known.threads === 1 ? 'one thread' : `${known.threads} threads`;
  const note = `${known.width}x${known.height}, ${known.model}, quality ${known.quality}, decoded in ${time} ms, ${threads}`;
  const row = { name: entry.name, ...entry.facts, note, ...measured };
  const rows = [row];
  if (choice === 'original') row.psnr ??= psnr(first, second);
  if (choice === 'original') rows.push({ name: 'Original', bytes: entry.originalBytes });
  else if (choice) {
    const bpp = (8 * bytes) / (second.width * second.height);
    rows.push({ name: LABELS[choice], bytes, bpp, ...other });
  }
  showFacts($('facts').tBodies[0], rows);
}

// What only the server computes.
async function measure(entry, choice, bytes, signal) {
  const own = await server.measure(entry.id, entry.settings);
  signal.throwIfAborted();
  const known = { psnr: own.psnr, ssimulacra2: own.ssimulacra2 };
  facts(entry, choice, bytes, known);
  if (choice === 'original') return;
  const other = await server.measure(entry.id, { format: choice, ...entry.settings });
  signal.throwIfAborted();
  const { psnr: dB, ssimulacra2, quality } = other;
  facts(entry, choice, bytes, known, { psnr: dB, ssimulacra2, note: `quality ${quality}` });
}

// A picture of a format that the browser knows; samples as they are unless `managed` asks for the page's colours.
async function canvasOf(data, managed) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(new Blob([data]), { colorSpaceConversion: managed ? 'default' : 'none' });
  } catch {
    throw new InputError('this browser cannot read the picture beside it');
  }
  const canvas = document.createElement('canvas');
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  canvas.getContext('2d').drawImage(bitmap, 0, 0);
  bitmap.close();
  return canvas;
}

const isCwic = async (file) => {
  const head = new Uint8Array(await file.slice(0, 3).arrayBuffer());
  return (head[0] === 0x89 && head[1] === 0x43 && head[2] === 0x57) || file.name.toLowerCase().endsWith('.cwic');
};

// Files that were dropped or chosen: .cwic files are shown; a picture is the original of what is shown, or, where there
// is a server, is encoded.
async function take(files) {
  $('error').hidden = true;
  for (const file of files)
    try {
      if (server) {
        busy('reading …');
        list(await server.add(file), file);
      } else if (await isCwic(file)) list({ name: file.name }, file);
      else if (current && state.first) {
        current.original = file;
        current.originalBytes = file.size;
        controls(current);
        await beside();
        continue;
      } else throw new InputError(`${file.name} is no .cwic file: this page shows those; drop one first`);
      await show(entries.at(-1));
    } catch (error) {
      fail(error);
    }
}

function list(row, file = null) {
  entries.push({ ...row, file: row.id === undefined ? file : null });
  const option = new Option(row.name, String(entries.length - 1));
  $('file').append(option);
  $('files').hidden = entries.length < 2;
}

function way(name) {
  stage.setWay(name);
  for (const button of document.querySelectorAll('[data-way]'))
    button.setAttribute('aria-pressed', String(button.dataset.way === name));
}

function keys() {
  const held = (down) => (event) => {
    if (event.code !== 'Space' || event.target.closest('button, select, input')) return;
    event.preventDefault();
    if (event.repeat) return;
    if (down) [stage.before, stage.flipped] = [stage.way, true];
    stage.way = down ? 'flicker' : stage.before;
    if (!down) stage.flipped = false;
    stage.draw();
  };
  addEventListener('keydown', held(true));
  addEventListener('keyup', held(false));
  const actions = {
    s: () => way('split'),
    f: () => way('flicker'),
    d: () => way('difference'),
    0: () => stage.fit(),
    1: () => stage.zoom(1),
    '+': () => stage.zoom(stage.scale * 2),
    '-': () => stage.zoom(stage.scale / 2),
    ArrowLeft: () => stage.pan(40, 0),
    ArrowRight: () => stage.pan(-40, 0),
    ArrowUp: () => stage.pan(0, 40),
    ArrowDown: () => stage.pan(0, -40),
  };
  addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('select, input')) return;
    actions[event.key]?.();
  });
}

function wire() {
  $('open').onclick = () => $('picker').click();
  $('picker').onchange = () => take([...$('picker').files]);
  $('file').onchange = () => show(entries[Number($('file').value)]);
  $('other').onchange = () => beside();
  $('fit').onclick = () => stage.fit();
  $('one').onclick = () => stage.zoom(1);
  for (const button of document.querySelectorAll('[data-way]')) button.onclick = () => way(button.dataset.way);
  const encode = () => show(current, { quality: $('quality').value, model: $('model').value });
  $('quality').oninput = () => ($('quality-value').textContent = $('quality').value);
  $('quality').onchange = $('model').onchange = encode;
  const main = $('stage');
  addEventListener('dragover', (event) => {
    event.preventDefault();
    main.classList.add('dropping');
  });
  addEventListener('dragleave', (event) => event.relatedTarget || main.classList.remove('dropping'));
  addEventListener('drop', (event) => {
    event.preventDefault();
    main.classList.remove('dropping');
    take([...event.dataTransfer.files]);
  });
  addEventListener('unhandledrejection', (event) => fail(event.reason));
  keys();
}

async function start() {
  wire();
  prepare();
  if (!server) {
    const wanted = new URLSearchParams(location.search).get('src');
    if (!wanted) return;
    const name = wanted.split('/').pop();
    const file = new File([await bytesOf(new URL(wanted, document.baseURI))], name);
    list({ name }, file);
    return show(entries[0]);
  }
  $('hint').textContent = 'Drop a picture or a .cwic file here. Nothing leaves this machine.';
  const { pictures, models, others } = await server.list();
  server.others = others;
  $('model').replaceChildren(...models.map((name) => new Option(name, name)));
  for (const row of pictures) list(row);
  if (entries.length) await show(entries[0]);
}

start().catch(fail);
