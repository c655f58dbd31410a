// What a page loads: <script type="module" src="cwic.js"> defines <cwic-image> and gives these functions.
export { bytesOf, decodeBlocks, decodeToCanvas, prepare } from './client.js';
export { CwicImage } from './element.js';
export { CwicError, FormatError, InputError, LimitError, ModelError } from './decoder/errors.js';
