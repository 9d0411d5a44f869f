// Package dataset reads the rows of evaluation data sets.
//
//	source := dataset.Open([]string{"data"}, nil)
//	table, err := source.Rows(ctx, dataset.Split{Path: "openai/gsm8k", Config: "main", Split: "test", Task: "gsm8k"})
//	table.Rows[0]["question"]
//
// A data set is named as on the Hugging Face hub, and its rows have the fields that they have there, wherever they come
// from. Files are .parquet, .jsonl, .json, .csv or .txt, the last four also behind .gz or .zst. They are found below the
// folders that are given, in the first of these places that has the split:
//
//	<task>-<split>.jsonl              <task>/<split>.jsonl                   a person's own
//	<owner>/<name>/<config>/<split>-00000-of-00001.parquet                   the hub's, also …/data/…, owner___name, name
//	<owner>/<name>/<config>/<split>/0000.parquet                             the hub's conversion to Parquet
//	<name>/<split>.jsonl              <name>/<config>-<split>.jsonl          a data set's folder
//	mmlu/<split>/<subject>_<split>.csv                                       MMLU as first published
//	<config>/<split>.jsonl                                                   a data set's folder that is given itself
//
// each also in the folders eval, text and data. A split has the names that the hub knows for it: validation is also valid,
// val, or dev where there is no other.
//
// Files of known data sets that have other fields than the hub's are recognised by these and converted: MMLU's csv without
// a header, ARC's and OpenBookQA's nested questions, labels that are words, the instruction form of LLM-Adapters,
// WikiText as lines of text. If no folder is given, the hub is asked.
//
// Files are hostile: rows, their nesting and their number are bounded, and an error names the file and the row or line.
package dataset
