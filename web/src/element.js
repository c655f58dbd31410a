// <cwic-image src="photo.cwic" alt="..." models="models/">: a picture on any page, like <img>.
import { bytesOf, decodeToCanvas } from './client.js';

// A sheet and no <style>, so that it works under a Content-Security-Policy too.
const STYLE = new CSSStyleSheet();
STYLE.replaceSync(`
  :host { display: inline-block; max-width: 100%; }
  :host([hidden]) { display: none; }
  canvas { display: block; max-width: 100%; height: auto; }
  p { margin: 0; padding: 0.5em; border: 1px solid currentcolor; font: 0.9em/1.3 system-ui, sans-serif; }
`);

export class CwicImage extends HTMLElement {
  static observedAttributes = ['src', 'alt'];

  #canvas = document.createElement('canvas');
  #message = document.createElement('p');
  #running = null;
  #isPlaced = false; // of an element that was there before this script, attributes are told while it is connected

  constructor() {
    super();
    this.#canvas.setAttribute('role', 'img');
    this.#message.setAttribute('role', 'alert');
    this.#message.hidden = true;
    const root = this.attachShadow({ mode: 'open' });
    root.adoptedStyleSheets = [STYLE];
    root.append(this.#canvas, this.#message);
  }

  get src() {
    return this.getAttribute('src') ?? '';
  }

  set src(url) {
    this.setAttribute('src', url);
  }

  get alt() {
    return this.getAttribute('alt') ?? '';
  }

  set alt(text) {
    this.setAttribute('alt', text);
  }

  // What is known of the picture once it is there, or null.
  picture = null;

  attributeChangedCallback(name, before, value) {
    if (name === 'alt') this.#canvas.setAttribute('aria-label', value ?? '');
    else if (this.#isPlaced && before !== value) this.#load();
  }

  connectedCallback() {
    this.#isPlaced = true;
    if (this.src) this.#load();
  }

  disconnectedCallback() {
    this.#isPlaced = false;
    this.#running?.abort();
  }

  // Decodes a File, a Blob or the picture behind a URL. Resolves when it is complete, and rejects with an error of the
  // decoder; the element says it too, and fires `load` or `error` as an <img> does, and `preview` when a small picture,
  // or the first tile of one, is there.
  async show(source) {
    this.#running?.abort();
    const running = (this.#running = new AbortController());
    this.#message.hidden = true;
    this.#canvas.hidden = false;
    this.picture = null;
    try {
      const { signal } = running;
      const models = this.hasAttribute('models') ? new URL(this.getAttribute('models'), document.baseURI).href : '';
      const data = await bytesOf(source, signal);
      let seen = false;
      const onPreview = () => {
        if (!seen) this.dispatchEvent(new Event('preview'));
        seen = true;
      };
      this.picture = await decodeToCanvas(data, this.#canvas, { signal, models, onPreview });
      this.dispatchEvent(new Event('load'));
    } catch (error) {
      if (running.signal.aborted) return;
      this.#canvas.hidden = true;
      this.#message.hidden = false;
      this.#message.textContent = [this.alt, error.message].filter(Boolean).join(': ');
      this.dispatchEvent(new ErrorEvent('error', { error, message: error.message }));
      throw error;
    }
  }

  #load() {
    this.show(new URL(this.src, document.baseURI)).catch(() => {});
  }
}

if (!customElements.get('cwic-image')) customElements.define('cwic-image', CwicImage);
