package jinja

// WalksContent tells whether the template knows a message's content as a list of parts: whether one of its loops runs
// over something that is called content.
func (t *Template) WalksContent() bool { return walksContent(t.body) }

func walksContent(body []statement) bool {
	for _, one := range body {
		switch n := one.(type) {
		case *forNode:
			if isContent(n.over) || walksContent(n.body) || walksContent(n.otherwise) {
				return true
			}
		case *ifNode:
			for _, b := range n.branches {
				if walksContent(b.body) {
					return true
				}
			}
			if walksContent(n.otherwise) {
				return true
			}
		case *captureNode:
			if walksContent(n.body) {
				return true
			}
		case *withNode:
			if walksContent(n.body) {
				return true
			}
		case *macroNode:
			if walksContent(n.body) {
				return true
			}
		case *callBlockNode:
			if walksContent(n.caller.body) {
				return true
			}
		}
	}
	return false
}

// isContent looks through filters for message.content, message['content'] or content.
func isContent(e expression) bool {
	switch n := e.(type) {
	case *nameNode:
		return n.name == "content"
	case *attributeNode:
		return n.name == "content"
	case *itemNode:
		c, ok := n.key.(constant)
		return ok && c.value == "content"
	case *filterNode:
		return isContent(n.of)
	}
	return false
}
