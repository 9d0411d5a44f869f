package hub

import (
	"regexp"
	"slices"
	"strings"
)

// textFormats are the endings that package corpus reads, rowFormats those that package dataset reads. A data set that has a
// split in several is read in the first.
var (
	textFormats = []string{".parquet", ".jsonl", ".json", ".txt"}
	rowFormats  = []string{".parquet", ".jsonl", ".json", ".csv", ".txt", ".jsonl.gz", ".json.gz", ".csv.gz", ".jsonl.zst", ".json.zst"}
)

// keywords are the names by which the hub tells splits, and the one that stands for each.
var keywords = map[string]string{
	"train": "train", "training": "train",
	"validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
	"test": "test", "testing": "test", "eval": "test", "evaluation": "test",
}

// part is a file of a data set and where it belongs.
type part struct {
	file   File
	config string // folders that are no split, "" for none
	split  string
	said   string // the word for the split in the file's name, as dev for validation; "" for none
	format string
	base   string // the last part of the name, without its ending
}

func (p part) splitName() string { return p.split }

func (p part) configName() string {
	if p.config == "" {
		return "(no name)"
	}
	return p.config
}

// numbered is a name of one file of several, as train-00000-of-00002 or c4-train.00000-of-01024, with or without a hash
// behind it.
var numbered = regexp.MustCompile(`^(.+?)[-._]\d{3,}-of-\d{3,}`)

// shardNumber is a name that is nothing but a number: the hub's own conversion names files so, in a folder per split.
var shardNumber = regexp.MustCompile(`^\d+$`)

// partOf tells config and split from a file's name by the hub's rules for data sets: the split is a keyword in the name,
// or what stands in front of -00000-of-00001, or a folder. It is false for a file that holds no rows.
func partOf(f File, formats []string) (part, bool) {
	p := part{file: f}
	for _, format := range formats {
		if strings.HasSuffix(strings.ToLower(f.Name), format) {
			p.format = format
		}
	}
	folders := strings.Split(f.Name, "/")
	base := folders[len(folders)-1]
	folders = folders[:len(folders)-1]
	p.base = base[:max(len(base)-len(p.format), 0)]
	hidden := func(s string) bool { return strings.HasPrefix(s, ".") || strings.HasPrefix(s, "__") }
	if p.format == "" || hidden(base) || slices.ContainsFunc(folders, hidden) || aboutFiles.MatchString(p.base) {
		return p, false
	}
	name := p.base
	if match := numbered.FindStringSubmatch(name); match != nil {
		p.split, name = match[1], match[1]
	}
	if word := keywordIn(name); word != "" {
		p.said, p.split = word, keywords[word]
	}
	var config []string
	for i, folder := range folders {
		plain := strings.TrimPrefix(folder, "partial-")
		word, ok := keywords[plain]
		switch {
		case ok:
			if p.split == "" {
				p.said, p.split = plain, word
			}
		case i == len(folders)-1 && i > 0 && p.split == "" && shardNumber.MatchString(p.base):
			p.split = plain
		case folder != "data":
			config = append(config, folder)
		}
	}
	p.config = strings.Join(config, "/")
	if p.split == "" {
		p.split = "train" // what is not divided is for training
	}
	return p, true
}

// aboutFiles are names of files that tell about data and hold none.
var aboutFiles = regexp.MustCompile(`(?i)^(?:dataset_infos?|dataset_dict|state|config|metadata|readme|licen[cs]e|requirements|citation)$`)

// words divides a name as the hub does: at anything but letters.
func words(name string) []string {
	return append(strings.FieldsFunc(strings.ToLower(name), func(c rune) bool {
		return (c < 'a' || c > 'z') && c < 0x80
	}), strings.ToLower(name))
}

// keywordIn is the word for a split in a name, "" for none. The last word wins: test_train is what a test was trained on.
func keywordIn(name string) string {
	all := words(name)
	for _, word := range slices.Backward(all[:len(all)-1]) {
		if _, ok := keywords[word]; ok {
			return word
		}
	}
	return ""
}
