package summary

import (
	"math/bits"
	"slices"
	"strings"

	"github.com/mira-cluster/terraform-provider-mira/tools/plansummary/internal/plan"
)

// ClientPlaceholder stands for the name of a client in what several clients have in common.
const ClientPlaceholder = "<client>"

// mostPlaces is in how many places of a text each choice of places is tried.
const mostPlaces = 5

// forms returns a text with the client's name replaced in some of the places where it stands: everywhere, at each choice of
// places, and nowhere. Which form the clients have in common tells what of the text is the name: in the object mira-mira of
// a client called mira it is the second one only.
func forms(text, client string) []string {
	places := placesOf(text, client)
	if len(places) == 0 {
		return []string{text}
	}
	if len(places) > mostPlaces {
		return []string{
			replaceAt(text, client, places), replaceAt(text, client, places[:1]), replaceAt(text, client, places[len(places)-1:]), text,
		}
	}
	var all []string
	for number := len(places); number >= 0; number-- {
		for choice := range 1 << len(places) {
			if bits.OnesCount(uint(choice)) != number {
				continue
			}
			var chosen []int
			for i, place := range places {
				if choice&(1<<i) != 0 {
					chosen = append(chosen, place)
				}
			}
			if form := replaceAt(text, client, chosen); !slices.Contains(all, form) {
				all = append(all, form)
			}
		}
	}
	return all
}

// placesOf returns where a name stands in a text by itself: no letter and no digit before it or after it. Places may
// overlap, as those of a-a in a-a-a do.
func placesOf(text, name string) []int {
	if name == "" {
		return nil
	}
	var places []int
	for from := 0; ; {
		i := strings.Index(text[from:], name)
		if i < 0 {
			return places
		}
		start := from + i
		end := start + len(name)
		if (start == 0 || !isWord(text[start-1])) && (end == len(text) || !isWord(text[end])) {
			places = append(places, start)
		}
		from = start + 1
	}
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// replaceAt replaces a name at places, apart from those that overlap the one before.
func replaceAt(text, name string, places []int) string {
	var b strings.Builder
	done := 0
	for _, place := range places {
		if place < done {
			continue
		}
		b.WriteString(text[done:place])
		b.WriteString(ClientPlaceholder)
		done = place + len(name)
	}
	b.WriteString(text[done:])
	return b.String()
}

// commons counts how many clients have which form of a text in which place.
type commons map[[2]string]*common

type common struct {
	clients int
	last    string // the client that was counted last
}

// add counts the forms of a client's text. All texts of one client are added one after the other.
func (c commons) add(place, text, client string) {
	for _, form := range forms(text, client) {
		key := [2]string{place, form}
		if c[key] == nil {
			c[key] = &common{}
		}
		if found := c[key]; found.clients == 0 || found.last != client {
			found.clients++
			found.last = client
		}
	}
}

// form returns the form that most clients have, and of several the one with most of the name replaced.
func (c commons) form(place, text, client string) string {
	best, most := text, 0
	for _, form := range forms(text, client) {
		if found := c[[2]string{place, form}]; found != nil && found.clients > most {
			best, most = form, found.clients
		}
	}
	return best
}

// vocabulary knows what the texts of clients have in common. Objects are looked up before values are added, so that equal
// fields of different clients have one place.
type vocabulary struct{ objects, values commons }

// learn counts the texts of all clients. The fields of clients of one name must follow each other.
func learn(all []change) *vocabulary {
	v := &vocabulary{objects: commons{}, values: commons{}}
	for _, c := range all {
		for _, field := range c.fields {
			v.objects.add("", field.Object, c.client.Name)
		}
	}
	for _, c := range all {
		for _, field := range c.fields {
			place := v.place(field, c.client.Name)
			v.values.add(place+"before", field.Before.Text, c.client.Name)
			v.values.add(place+"after", field.After.Text, c.client.Name)
		}
	}
	return v
}

func (v *vocabulary) place(field Field, client string) string {
	return v.objects.form("", field.Object, client) + "\x00" + field.Path + "\x00"
}

// common returns a client's field in the form that most clients have.
func (v *vocabulary) common(field Field, client string) Field {
	place := v.place(field, client)
	field.Object = v.objects.form("", field.Object, client)
	field.Before = v.value(place+"before", field.Before, client)
	field.After = v.value(place+"after", field.After, client)
	return field
}

func (v *vocabulary) value(place string, value plan.Value, client string) plan.Value {
	if value.State == plan.Known {
		value.Text = v.values.form(place, value.Text, client)
	}
	return value
}
