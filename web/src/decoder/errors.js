// The errors of the decoder, as those of Python's cwic.errors: a file, a limit, a model, or what was given.

export class CwicError extends Error {
  constructor(message) {
    super(message);
    this.name = new.target.name;
  }
}

export class InputError extends CwicError {}
export class FormatError extends CwicError {}
export class LimitError extends FormatError {}
export class ModelError extends CwicError {}

const KINDS = { CwicError, InputError, FormatError, LimitError, ModelError };

// An error as a worker posts it, and back.
export function packError(error) {
  return { kind: error instanceof CwicError ? error.name : 'CwicError', message: String(error?.message ?? error) };
}

export function unpackError({ kind, message }) {
  return new (KINDS[kind] ?? CwicError)(message);
}
