// What `cwic view` offers beside its files: pictures, other formats, measures. A page without a server has none of it.
import { CwicError } from './cwic.js';

export class Server {
  constructor(base) {
    this.base = base;
  }

  // {pictures: [{id, name, kind, bytes, quality, model, original}], models: [{name, variable}], others: [name]}
  async list() {
    return (await this.#get('pictures')).json();
  }

  // Hands a File over, and gives its row.
  async add(file) {
    const where = `pictures?name=${encodeURIComponent(file.name)}`;
    return (await this.#get(where, { method: 'POST', body: file })).json();
  }

  // The bytes of a picture's .cwic file, as it is or encoded anew.
  cwic(id, settings) {
    return this.#bytes(`pictures/${id}/cwic`, settings);
  }

  original(id) {
    return this.#bytes(`pictures/${id}/original`, {});
  }

  // The picture in another format, at no more bytes than the .cwic file of `settings` has.
  other(id, format, settings) {
    return this.#bytes(`pictures/${id}/other`, { format, ...settings });
  }

  // {bytes, bpp, psnr, ssimulacra2, quality} of a .cwic file, or of `format` at its bytes.
  async measure(id, settings) {
    return (await this.#get(`pictures/${id}/measure?${new URLSearchParams(settings)}`)).json();
  }

  async #bytes(path, settings) {
    return new Uint8Array(await (await this.#get(`${path}?${new URLSearchParams(settings)}`)).arrayBuffer());
  }

  async #get(path, options) {
    let response;
    try {
      response = await fetch(this.base + path, options);
    } catch {
      throw new CwicError('the server of this page has ended: start cwic view again');
    }
    if (!response.ok) throw new CwicError((await response.text()) || `the server says ${response.status}`);
    return response;
  }
}
