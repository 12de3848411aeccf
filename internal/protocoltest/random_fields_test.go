package protocoltest_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

// ownersOf returns who owns which field, without the provider, the Django controller
// and kubectl: the provider takes over what those own.
func ownersOf(t *testing.T, object *unstructured.Unstructured) map[string]string {
	t.Helper()
	owners := map[string]string{}
	for _, entry := range object.GetManagedFields() {
		isTakenOver := entry.Manager == acctest.DjangoManager || strings.HasPrefix(entry.Manager, "kubectl")
		if isTakenOver || entry.Manager == managedfields.DefaultName {
			continue
		}
		set := &fieldpath.Set{}
		if err := set.FromJSON(entry.FieldsV1.GetRawReader()); err != nil {
			t.Fatal(err)
		}
		for path := range set.All() {
			owners[managedfields.FormatPath(path)] = entry.Manager
		}
	}
	return owners
}

// mergedBy are the fields that identify the items of lists, where the server merges
// lists. Other lists are taken as a whole.
var mergedBy = map[string][]string{
	"containers": {"name"}, "env": {"name"}, "volumes": {"name"}, "volumeMounts": {"mountPath"},
	"ports": {"port", "containerPort", "protocol"},
}

// wholes are the maps in which nothing may be beside what the template says.
var wholes = []string{"selector"}

var isPlainWord = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// flatten returns the fields of an object by paths as plans write them. The values can
// be compared: quantities are in their canonical form, and numbers are text. The
// length of what is owned as a whole is a field, too.
func flatten(object map[string]any, placeholders *strings.Replacer) map[string]any {
	f := flattener{fields: map[string]any{}, placeholders: placeholders}
	f.walk("", "", object)
	return f.fields
}

type flattener struct {
	fields       map[string]any
	placeholders *strings.Replacer // nil for a live object
}

func (f flattener) walk(path, name string, at any) {
	switch at := at.(type) {
	case nil:
	case map[string]any:
		if len(at) == 0 || slices.Contains(wholes, name) {
			f.fields[path+"#"] = len(at)
		}
		for key, value := range at {
			switch {
			case path == "" && key == "status" || key == "creationTimestamp" || key == "managedFields":
			case !isPlainWord.MatchString(key):
				f.walk(path+"["+key+"]", key, value)
			case path == "":
				f.walk(key, key, value)
			default:
				f.walk(path+"."+key, key, value)
			}
		}
	case []any:
		if mergedBy[name] == nil {
			f.fields[path+"#"] = len(at)
		}
		for i, item := range at {
			f.walk(path+"["+itemKey(name, i, item)+"]", "", item)
		}
	default:
		f.fields[path] = f.text(path, at)
	}
}

// text returns a scalar in the form that compares.
func (f flattener) text(path string, scalar any) string {
	text := fmt.Sprint(scalar)
	if number, ok := scalar.(float64); ok {
		encoded, _ := json.Marshal(number)
		text = string(encoded)
	}
	if f.placeholders != nil {
		text = f.placeholders.Replace(text)
	}
	if quantity, err := resource.ParseQuantity(text); err == nil && strings.Contains(path, ".resources.") {
		text = strconv.FormatInt(quantity.MilliValue(), 10) // whatever the notation
	}
	return text
}

func itemKey(list string, i int, item any) string {
	fields, ok := item.(map[string]any)
	if mergedBy[list] == nil || !ok {
		return fmt.Sprint(i)
	}
	var keys []string
	for _, key := range mergedBy[list] {
		value, ok := fields[key]
		if !ok && key == "protocol" {
			value, ok = "TCP", true
		}
		if ok {
			keys = append(keys, fmt.Sprint(value))
		}
	}
	return strings.Join(keys, ",")
}
