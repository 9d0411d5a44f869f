package randommodel

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

var (
	people  = []string{"the miller", "a young clerk", "the ferryman", "my neighbour", "the old gardener", "a surveyor", "the baker's daughter", "the night porter"}
	actions = []string{"walked to", "wrote a letter about", "measured", "forgot", "painted", "sold", "returned to", "spoke for an hour about"}
	things  = []string{"the bridge", "a basket of pears", "the clock tower", "an unfinished map", "the river at low water", "a blue door", "the market square", "a broken scale"}
	ends    = []string{"before the rain came", "and told nobody", "because the road was closed", "while the bells were ringing", "for the third time that week", "and was glad of it"}
)

// texts is how many short texts there are.
const texts = 64

// documents writes n short texts; the same seed gives the same ones.
func documents(n int, seed uint64) []string {
	r := rand.New(rand.NewPCG(seed, 1))
	pick := func(words []string) string { return words[r.IntN(len(words))] }
	docs := make([]string, n)
	for i := range docs {
		var b strings.Builder
		for range 3 + r.IntN(3) {
			sentence := fmt.Sprintf("%s %s %s %s. ", pick(people), pick(actions), pick(things), pick(ends))
			b.WriteString(strings.ToUpper(sentence[:1]) + sentence[1:])
		}
		docs[i] = strings.TrimSpace(b.String())
	}
	return docs
}
