package prune

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestSurgeryTable holds docs/config-surgery.md against the tables in the code: -update writes it.
func TestSurgeryTable(t *testing.T) {
	var b strings.Builder
	b.WriteString("# What pruning does to config.json\n\n" +
		"Written by `go test ./prune -run TestSurgeryTable -update` from the tables in `prune/rules.go` and `prune/implied.go`.\n\n" +
		"A value that speaks of layers is rewritten by the class of its key, wherever the decoder is described: in the file's outermost object, in `text_config` and " +
		"the like, or in both. Objects of other models (`vision_config`, …) stay as they are, and so does every other byte of the file. Under a key that is not " +
		"here, a list of as many elements as there are layers, a list of numbers whose key speaks of layers, and an object with numbers as keys are refused by name.\n\n" +
		"## Classes\n\n| class | what is done | keys |\n|---|---|---|\n")
	keys := map[class][]string{}
	for _, key := range slices.Sorted(maps.Keys(rules)) {
		keys[rules[key]] = append(keys[rules[key]], "`"+key+"`")
	}
	for _, c := range classes {
		if len(keys[c.class]) == 0 {
			t.Errorf("class %s has no key", c.class)
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", c.class, c.does, strings.Join(keys[c.class], ", "))
		delete(keys, c.class)
	}
	for c := range keys {
		t.Errorf("class %s is not described", c)
	}
	b.WriteString("\n## What readers imply\n\nSome readers work out what a layer is from its number alone. Where a cut would shift that, the list that they take instead is written, " +
		"as the layers were before; where they take none, the cut is refused, and the nearest block that can go is named.\n\n" +
		"| `model_type` | written out as | or refused, because |\n|---|---|---|\n")
	for _, row := range implications {
		list, reason := "", row.what
		if row.list != "" {
			list, reason = "`"+row.list+"`", ""
		}
		if (list == "") == (reason == "") {
			t.Errorf("%v: neither a list nor a reason", row.models)
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", "`"+strings.Join(row.models, "`, `")+"`", list, reason)
	}
	b.WriteString("\n## Thresholds that readers imply\n\nWritten where the cut shifts them and the file has no such key.\n\n| `model_type` | key | implied |\n|---|---|---|\n")
	for _, row := range impliedThresholds {
		fmt.Fprintf(&b, "| %s | `%s` | %d |\n", "`"+strings.Join(row.models, "`, `")+"`", row.key, row.value)
	}
	b.WriteString("\n## Layers named inside texts\n\n" +
		"Within `quantization_config`, `compression_config` and `hf_device_map`, and in `" + strings.Join(quantFiles, "`, `") + "` beside it, " +
		"names of layers are renumbered in list elements, keys and values, and those of dropped layers go: plain names (`model.layers.7.mlp`), globs (`model.layers.7*`) and regular " +
		"expressions (`re:.*layers\\.(7|8)\\..*`, GPTQ's `-:model\\.layers\\.1[0-9]\\..*`), whose numbers are worked out layer by layer. An expression of which that is not sure " +
		"is refused. Names of other models' layers stay.\n\n## Tested on\n\n" +
		"Configs as published ones are, in `prune/testdata/configs`; what must change is written by hand in `prune/testdata/cuts.json`. `internal/reference/surgery.py` builds the " +
		"original and the cut model of each with transformers and compares them layer by layer.\n\n")
	for _, c := range familyCuts(t) {
		if c.Refused != "" {
			fmt.Fprintf(&b, "- `%s`: refused (%s)\n", c.Name, c.Refused)
			continue
		}
		fmt.Fprintf(&b, "- `%s`: %s\n", c.Name, strings.Join(slices.Sorted(maps.Keys(c.Changes)), ", "))
	}
	golden(t, "../docs/config-surgery.md", []byte(b.String()))
}
