package template

import (
	"strconv"
	"strings"

	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

// mergeKeyDefaults are the values of merge keys that the API server sets.
var mergeKeyDefaults = map[string]string{"protocol": "TCP"}

// pair is a list item of the template and the live item that belongs to it.
type pair struct {
	item  *node
	live  any
	label string
}

// match finds the live item for each item of a list. Mappings are matched by their merge keys, because items may have
// been added, removed and moved; a list of scalars has only its order. Items whose live item is uncertain are left out.
func (r *recovery) match(items []*node, live []any) []pair {
	for _, withOpen := range []bool{false, true} {
		for _, key := range managedfields.MergeKeys {
			if pairs, ok := r.matchBy(key.Fields, items, live, withOpen); ok {
				return pairs
			}
		}
	}
	return r.matchByIndex(items, live)
}

// matchByIndex pairs the items of lists of equal length, if they agree as far as their scalars are known.
func (r *recovery) matchByIndex(items []*node, live []any) []pair {
	if len(items) != len(live) {
		return nil
	}
	pairs := make([]pair, 0, len(items))
	for i, item := range items {
		if !r.compatible(item, live[i]) {
			return nil
		}
		pairs = append(pairs, pair{item, live[i], strconv.Itoa(i)})
	}
	return pairs
}

// matchBy pairs items by merge keys, and reports whether the keys identify the items of both lists. An item is open if a
// key holds a placeholder without a value. One open item is paired with a live item that is left over, if only one fits.
func (r *recovery) matchBy(keys []string, items []*node, live []any, withOpen bool) ([]pair, bool) {
	byKey := make(map[string]any, len(live))
	for _, l := range live {
		key, ok := liveKey(keys, l)
		if !ok {
			continue
		}
		if _, twice := byKey[key]; twice {
			return nil, false
		}
		byKey[key] = l
	}
	var pairs []pair
	var open *node
	seen := make(map[string]bool, len(items))
	for _, item := range items {
		key, ok, isOpen := r.itemKey(keys, item)
		switch {
		case isOpen && withOpen && open == nil:
			open = item
			continue
		case !ok || seen[key]:
			return nil, false
		}
		seen[key] = true
		if l, ok := byKey[key]; ok {
			pairs = append(pairs, pair{item, l, key})
		}
	}
	if open == nil {
		return pairs, true
	}
	fitting := 0
	var last pair
	for key, l := range byKey {
		if !seen[key] && r.fits(keys, open, l) {
			fitting++
			last = pair{open, l, key}
		}
	}
	if fitting == 1 {
		pairs = append(pairs, last)
	}
	return pairs, true
}

// itemKey returns the values of the merge keys of an item of the template. open reports whether it has all of them, some
// with placeholders that have no value.
func (r *recovery) itemKey(keys []string, item *node) (key string, ok, open bool) {
	texts := make([]string, len(keys))
	for i, k := range keys {
		n := item.get(k)
		text, ok := r.text(n)
		switch {
		case ok:
			texts[i] = text
		case n == nil && mergeKeyDefaults[k] != "":
			texts[i] = mergeKeyDefaults[k]
		case n != nil && n.kind == scalarNode:
			open = true
		default:
			return "", false, false
		}
	}
	return strings.Join(texts, ","), !open, open
}

// liveKey returns the values of the merge keys of a live item.
func liveKey(keys []string, live any) (string, bool) {
	fields, ok := live.(map[string]any)
	if !ok {
		return "", false
	}
	texts := make([]string, len(keys))
	for i, k := range keys {
		text, ok := scalarText(fields[k])
		if !ok {
			if text = mergeKeyDefaults[k]; text == "" {
				return "", false
			}
		}
		texts[i] = text
	}
	return strings.Join(texts, ","), true
}

// fits reports whether an open item can be a live one, judging by its merge keys.
func (r *recovery) fits(keys []string, item *node, live any) bool {
	fields, _ := live.(map[string]any)
	for _, k := range keys {
		n := item.get(k)
		if n == nil {
			continue
		}
		if !r.compatible(n, fields[k]) {
			return false
		}
	}
	return true
}
