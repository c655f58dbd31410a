#!/usr/bin/env bash
# Compiles the decoder (native and web/wasm) to one wasm module: `web/build-wasm.sh OUTPUT`.
# Needs Debian's clang and lld: apt-get install clang lld.
set -euo pipefail
output="$(realpath "$1")"
cd "$(dirname "${BASH_SOURCE[0]}")"
objects="$(mktemp -d)"
trap 'rm -rf "$objects"' EXIT
for source in ../native/{layers,linear,model,prior,transforms}.c wasm/*.c; do
    clang --target=wasm32 -nostdlib -ffreestanding -O3 -msimd128 -mbulk-memory -fwrapv -Wall -Wextra \
        -Wno-unused-parameter -Wno-sign-compare -Iwasm -I../native -c "$source" -o "$objects/$(basename "$source").o"
done
# Compilers and linkers may be installed under their version only.
linker="$(command -v wasm-ld || ls /usr/bin/wasm-ld-* | tail -1)"
"$linker" --no-entry --strip-all -z stack-size=65536 --max-memory=4294967296 -o "$output" "$objects"/*.o
