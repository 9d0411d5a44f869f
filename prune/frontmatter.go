package prune

import (
	"encoding/json"
	"slices"
	"strings"
)

// A card's front matter is YAML between two lines of dashes. It is edited by lines, so that all else stays as it was written.

// setBaseModel names the model that a card's model was made of, in place of the one that is named there.
func setBaseModel(front, base string) string {
	lines := matter(front)
	lines = dropKey(lines, "base_model")
	lines = dropKey(lines, "base_model_relation") // of the model that was named before
	return fenced(append(lines, "base_model: "+yamlText(base)))
}

// addTag adds a tag to the list of tags, however that is written.
func addTag(front, tag string) string {
	lines := matter(front)
	at := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "tags:") })
	if at < 0 {
		return fenced(append(lines, "tags:", "- "+tag))
	}
	value := strings.TrimSpace(strings.TrimPrefix(lines[at], "tags:"))
	switch {
	case strings.HasPrefix(value, "[") && strings.HasSuffix(value, "]"):
		inner := strings.TrimSpace(value[1 : len(value)-1])
		if slices.ContainsFunc(strings.Split(inner, ","), func(s string) bool { return strings.Trim(strings.TrimSpace(s), `'"`) == tag }) {
			return front
		}
		if inner != "" {
			inner += ", "
		}
		lines[at] = "tags: [" + inner + tag + "]"
	case value != "":
		return front // one text, or what is not known: left alone
	default:
		end := at + 1
		indent := ""
		for ; end < len(lines) && inside(lines[end]); end++ {
			item := strings.TrimSpace(lines[end])
			if strings.HasPrefix(item, "-") {
				indent = lines[end][:strings.IndexByte(lines[end], '-')]
			}
			if strings.Trim(strings.TrimSpace(strings.TrimPrefix(item, "-")), `'"`) == tag {
				return front
			}
		}
		lines = slices.Insert(lines, end, indent+"- "+tag)
	}
	return fenced(lines)
}

// matter is the lines between the dashes.
func matter(front string) []string {
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(front, "\r\n", "\n")), "\n")
	if len(lines) < 2 {
		return nil
	}
	return lines[1 : len(lines)-1]
}

func fenced(lines []string) string {
	return "---\n" + strings.Join(append(lines, "---"), "\n") + "\n\n"
}

// inside reports whether a line belongs to the key above it.
func inside(line string) bool {
	return line == "" || strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") || strings.HasPrefix(line, "-") || strings.HasPrefix(line, "#")
}

// dropKey takes a key and what belongs to it out.
func dropKey(lines []string, key string) (rest []string) {
	dropping := false
	for _, line := range lines {
		if strings.HasPrefix(line, key+":") {
			dropping = true
			continue
		}
		dropping = dropping && inside(line)
		if !dropping {
			rest = append(rest, line)
		}
	}
	return rest
}

// yamlText quotes a text where YAML would read something else.
func yamlText(s string) string {
	for _, r := range s {
		if !strings.ContainsRune("/-_.", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return quotedYAML(s)
		}
	}
	if s == "" || strings.Trim(s, "0123456789.-_") == "" || strings.ContainsAny(s[:1], "-.") {
		return quotedYAML(s)
	}
	return s
}

// quotedYAML: a JSON text is a YAML text.
func quotedYAML(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return string(b)
}

// hubName is the name under which the hub has a model: what plan.json or config.json says, or the folder of the hub's cache that it lies in. It
// is empty where none of them looks like owner/name.
func hubName(dir string, names ...string) string {
	for part := range strings.SplitSeq(strings.ReplaceAll(dir, `\`, "/"), "/") {
		if owner, name, ok := strings.Cut(strings.TrimPrefix(part, "models--"), "--"); ok && strings.HasPrefix(part, "models--") {
			names = append([]string{owner + "/" + name}, names...)
		}
	}
	for _, s := range names {
		owner, name, ok := strings.Cut(s, "/")
		if ok && isHubPart(owner) && isHubPart(name) {
			return s
		}
	}
	return ""
}

func isHubPart(s string) bool {
	if s == "" || len(s) > 96 || s[0] == '.' || s[0] == '-' {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == ""
}
