package template

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// revision hashes a canonical form of the objects. The form includes the type and the length of everything, so that two
// templates with different meanings never have the same form.
func revision(objects []*source) string {
	hash := sha256.New()
	w := bufio.NewWriter(hash)
	for _, s := range objects {
		writeCanonical(w, s.root)
	}
	// Writing to a hash never fails.
	_ = w.Flush()
	return hex.EncodeToString(hash.Sum(nil)[:6])
}

func writeCanonical(w io.Writer, n *node) {
	switch n.kind {
	case mappingNode:
		fields := slices.Clone(n.fields)
		slices.SortFunc(fields, func(a, b field) int { return cmp.Compare(a.id(), b.id()) })
		fmt.Fprintf(w, "{%d", len(fields))
		for _, f := range fields {
			writeText(w, f.key, f.parts)
			writeCanonical(w, f.value)
		}
	case sequenceNode:
		fmt.Fprintf(w, "[%d", len(n.items))
		for _, item := range n.items {
			writeCanonical(w, item)
		}
	default:
		writeScalar(w, n)
	}
}

func writeScalar(w io.Writer, n *node) {
	switch v := n.value.(type) {
	case string:
		writeText(w, v, nil)
		return
	case bool:
		fmt.Fprintf(w, "b%t;", v)
		return
	case int64:
		fmt.Fprintf(w, "i%d;", v)
		return
	case float64:
		fmt.Fprintf(w, "f%s;", strconv.FormatFloat(v, 'g', -1, 64))
		return
	}
	fmt.Fprintf(w, "%d%s", n.form, n.tag)
	writeText(w, "", n.parts)
}

// writeText writes the parts of a text, or a literal text if there are none.
func writeText(w io.Writer, text string, parts []part) {
	if parts == nil {
		fmt.Fprintf(w, "s%d:%s", len(text), text)
		return
	}
	fmt.Fprintf(w, "t%d:", len(parts))
	for _, p := range parts {
		if p.name != "" {
			fmt.Fprintf(w, "%%%d:%s", len(p.name), p.name)
		} else {
			writeText(w, p.text, nil)
		}
	}
}
