#!/bin/sh
# Builds llama.cpp from the source package of llama-cpp-python and holds shallow against it: see llamacpp.py.
#
#   internal/reference/llamacpp.sh WORK FAMILIES [CASE…]
#
# WORK is a folder outside the repository; the source package is fetched into it where it is not there yet. FAMILIES holds
# small checkpoints with their reference values (shared/reference/families). Needs cmake, a C++ compiler, Go, and a Python
# with torch, transformers, sentencepiece and safetensors (PYTHON, or python3).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mkdir -p "$1" && cd "$1" && pwd)
families=$(cd "$2" && pwd)
shift 2
python=${PYTHON:-python3}

if ! ls "$work"/llama_cpp_python-*/ >/dev/null 2>&1; then
	ls "$work"/llama_cpp_python-*.tar.gz >/dev/null 2>&1 ||
		"$python" -m pip download --no-deps --no-binary llama-cpp-python -d "$work" llama-cpp-python==0.3.36
	tar -xzf "$work"/llama_cpp_python-*.tar.gz -C "$work"
fi
source=$(echo "$work"/llama_cpp_python-*/vendor/llama.cpp)

if ! test -x "$work/llamacpp_logits" || ! test -x "$work/llamacpp_quantize"; then
	cmake -S "$source" -B "$work/build" -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF -DGGML_NATIVE=ON -DGGML_OPENMP=OFF \
		-DLLAMA_CURL=OFF -DLLAMA_BUILD_COMMON=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_EXAMPLES=OFF \
		-DLLAMA_BUILD_SERVER=OFF >"$work/build.log"
	nice -n 19 cmake --build "$work/build" --target llama >>"$work/build.log"
	for program in llamacpp_logits llamacpp_quantize; do
		c++ -O2 -std=c++17 -I"$source/include" -I"$source/ggml/include" "$here/$program.cpp" \
			$(find "$work/build" -name libllama.a) $(find "$work/build" -name libggml.a) $(find "$work/build" -name libggml-cpu.a) \
			$(find "$work/build" -name libggml-base.a) -lpthread -ldl -o "$work/$program"
	done
fi
(cd "$here/../.." && go build -o "$work/shallow" ./cmd/shallow)
PYTHONPATH="$source/gguf-py" "$python" "$here/llamacpp.py" --source "$source" --work "$work" --families "$families" "$@"
