package tokenizer

// trie holds texts byte by byte, each with a number. The zero trie is empty.
type trie struct {
	root  [256]int32 // node after the first byte, 0 if none
	nodes []trieNode // nodes[0] is not used
	next  pairTable  // (node, byte) to node
	edges int
}

// maxTrie bounds the texts of a trie, in bytes; a vocabulary of 250,000 pieces has 2 million.
const maxTrie = 8 << 20

type trieNode struct{ value int32 } // -1 where no text ends

// add puts a text in; of equal texts the last counts.
func (t *trie) add(text string, value int32) {
	if t.nodes == nil {
		t.nodes = make([]trieNode, 1)
		t.next = newPairTable(1024)
	}
	at := t.root[text[0]]
	if at == 0 {
		at = t.grow()
		t.root[text[0]] = at
	}
	for i := 1; i < len(text); i++ {
		to, ok := t.next.get(uint32(at), uint32(text[i]))
		if !ok {
			to = uint32(t.grow())
			t.connect(uint32(at), uint32(text[i]), to)
		}
		at = int32(to)
	}
	t.nodes[at].value = value
}

func (t *trie) grow() int32 {
	t.nodes = append(t.nodes, trieNode{-1})
	return int32(len(t.nodes) - 1)
}

func (t *trie) connect(from, by, to uint32) {
	if t.edges++; 2*t.edges > len(t.next.entries) {
		larger := newPairTable(2 * t.edges)
		for _, e := range t.next.entries {
			if e.key != 0 {
				*larger.slot(e.key) = e
			}
		}
		t.next = larger
	}
	t.next.set(from, by, to)
}

// prefixes visits every text that s starts with, the shortest first.
func (t *trie) prefixes(s string, visit func(value int32, length int)) {
	if s == "" || t.nodes == nil {
		return
	}
	at := t.root[s[0]]
	for i := 1; at != 0; i++ {
		if value := t.nodes[at].value; value >= 0 {
			visit(value, i)
		}
		if i == len(s) {
			return
		}
		to, ok := t.next.get(uint32(at), uint32(s[i]))
		if !ok {
			return
		}
		at = int32(to)
	}
}

// longest is the longest text that s starts with; false if there is none.
func (t *trie) longest(s string) (value int32, length int, ok bool) {
	t.prefixes(s, func(v int32, n int) { value, length, ok = v, n, true })
	return value, length, ok
}
