package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// writeAdapter puts tensors of a PEFT adapter into DIR, one for each of layers 1, 4 and 5.
func writeAdapter(ts *testscript.TestScript, neg bool, args []string) {
	var header []string
	for i, layer := range []int{1, 4, 5} {
		header = append(header, fmt.Sprintf(`"base_model.model.model.layers.%d.mlp.up_proj.lora_A.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[%d,%d]}`, layer, 8*i, 8*i+8))
	}
	text := "{" + strings.Join(header, ",") + "}"
	data := append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...)
	ts.Check(os.WriteFile(filepath.Join(ts.MkAbs(args[0]), "adapter_model.safetensors"), append(data, make([]byte, 24)...), 0o644))
}
