// Package strictyaml reads the YAML files that people write for this program, and says of what is wrong in them in which line it is.
//
// It is strict because such a file decides what hours of computing are about: what is not understood must not pass for something
// else. A file is one object of keys, each of them given once. Anchors, references and merges (&, *, <<), which make a large value of a
// small file, are refused, and so are keys that begin with ?, and tags where a [Dialect] does not want them. A file is bounded in
// size and in depth before anything recurses over it.
//
//	top, err := strictyaml.Dialect{Prefix: "task", Depth: 24, Instead: "write the value out"}.Parse(name, data)
//	m, err := top.Object("")
//	err = strictyaml.Table{"limit": func(n *strictyaml.Node) error { … n.Count("limit", 1000) … }}.Read(m, "", unknown)
package strictyaml
