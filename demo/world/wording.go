package world

import (
	"embed"
	"fmt"
	"os"
	"strings"

	"github.com/goccy/go-yaml"
)

//go:embed wordings/*.yaml
var wordingFiles embed.FS

// Relation is what can be true of a thing: the kind of its values, and how it is told and asked.
type Relation struct {
	Name    string   `yaml:"relation"`
	Kind    string   `yaml:"kind"`
	Say     []string `yaml:"say"`
	SayHeld []string `yaml:"say_held"` // these and AskHeld are for evaluation alone
	Ask     []string `yaml:"ask"`
	AskHeld []string `yaml:"ask_held"`
}

// wordList is wordings/words.yaml.
type wordList struct {
	Women, Men, Families []string
	Kinds                map[string][]string
	Numbers, Things      []string
	Materials            map[string]string
}

// split is wordings of one purpose, those that training texts have and those that they have not.
type split struct{ Say, Held []string }

// of are the wordings for training or for evaluation.
func (s split) of(held bool) []string {
	if held {
		return s.Held
	}
	return s.Say
}

// sumWordings is wordings/sums.yaml.
type sumWordings struct{ Open, More, Less, Ask split }

// storyWordings is wordings/stories.yaml.
type storyWordings struct {
	Settings   split
	Things     []string
	Situations []situation
	WithThings []situation `yaml:"with_things"`
}

// situation is something that happens, and what a person does then.
type situation struct {
	Name      string
	Like      []string // situations whose end would do as well
	Say, Held []string // what happens
	End       []string
}

var (
	words   = readWordings[wordList]("words")
	sums    = readWordings[sumWordings]("sums")
	stories = readWordings[storyWordings]("stories")
)

// readWordings reads one of the files, which are part of the program.
func readWordings[T any](name string) (v T) {
	data, err := wordingFiles.ReadFile("wordings/" + name + ".yaml")
	if err == nil {
		err = yaml.UnmarshalWithOptions(data, &v, yaml.Strict())
	}
	if err != nil {
		panic(fmt.Errorf("world: wordings/%s.yaml: %w", name, err))
	}
	return v
}

// fill puts values into the $slots of a wording. A slot with a capital begins a sentence.
func fill(wording string, slots map[string]string) string {
	return os.Expand(wording, func(name string) string {
		if value, ok := slots[name]; ok {
			return value
		}
		value, ok := slots[strings.ToLower(name)]
		if !ok {
			panic(fmt.Sprintf("world: wording %q: nothing is known for $%s", wording, name))
		}
		return strings.ToUpper(value[:1]) + value[1:]
	})
}

// withArticle puts a or an before a word.
func withArticle(word string) string {
	if strings.ContainsRune("aeiou", rune(word[0])) {
		return "an " + word
	}
	return "a " + word
}
