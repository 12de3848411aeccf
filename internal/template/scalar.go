package template

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// The core tags of YAML that a template may use, in their short form.
const (
	tagString    = "!!str"
	tagInt       = "!!int"
	tagFloat     = "!!float"
	tagBool      = "!!bool"
	tagNull      = "!!null"
	tagTimestamp = "!!timestamp"
	tagBinary    = "!!binary"
	tagMapping   = "!!map"
	tagSequence  = "!!seq"
	tagMerge     = "!!merge"
)

// plainWords are the plain scalars that are neither text nor numbers. The booleans are those of YAML 1.1.
var plainWords = func() map[string]any {
	words := map[string]any{}
	for value, list := range map[any][]string{
		nil:          {"", "~", "null", "Null", "NULL"},
		true:         {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y"},
		false:        {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "N"},
		errNotFinite: {".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF"},
	} {
		for _, word := range list {
			words[word] = value
		}
	}
	return words
}()

var (
	errNotFinite = errors.New("is not a finite number, which a Kubernetes object cannot hold; quote it if it is text")
	errTooLarge  = errors.New("is an integer that does not fit into 64 bits; quote it if it is text")
	decimalFloat = regexp.MustCompile(`^[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?$`)
	decimalInt   = regexp.MustCompile(`^[-+]?\d+$`)
)

// resolvePlain returns the value of a plain scalar: nil, bool, int64, float64 or string. It reads it as sigs.k8s.io/yaml
// does, kubectl's YAML library, which knows no lines; a fuzz test compares the two. It ignores underscores in numbers and
// understands the prefixes 0x, 0o and 0b and the octal 0644; sexagesimals and timestamps are text. Its errors leave out the
// scalar's text, which may be secret.
func resolvePlain(text string) (any, error) {
	if value, ok := plainWords[text]; ok {
		if err, ok := value.(error); ok {
			return nil, err
		}
		return value, nil
	}
	switch c := text[0]; {
	case c == '.':
		return floatOrText(text, text), nil
	case c != '-' && c != '+' && (c < '0' || c > '9'):
		return text, nil
	}
	number := strings.ReplaceAll(text, "_", "")
	value, err := strconv.ParseInt(number, 0, 64)
	if err == nil {
		return value, nil
	}
	// Integers of this size would lose digits as floats. Longer hexadecimal numbers, such as digests, are text for kubectl too.
	_, err = strconv.ParseUint(strings.TrimPrefix(number, "+"), 0, 64)
	if err == nil || decimalInt.MatchString(number) && len(strings.TrimLeft(number, "+-0")) > 18 {
		return nil, errTooLarge
	}
	if decimalFloat.MatchString(number) {
		return floatOrText(number, text), nil
	}
	return text, nil
}

// floatOrText returns the number, or the text if the number is beyond the range of a float64.
func floatOrText(number, text string) any {
	value, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return text
	}
	return value
}

// resolveTagged returns the value of a scalar with an explicit tag. Its errors leave out the scalar's text.
func resolveTagged(tag, text string) (any, error) {
	switch tag {
	case tagString, tagTimestamp:
		return text, nil
	case tagBinary:
		return nil, errors.New("has the tag !!binary: write the base64 text itself, without a tag, as Kubernetes expects it")
	case tagInt, tagFloat, tagBool, tagNull:
	default:
		return nil, fmt.Errorf("has the tag %s: only the core tags of YAML (!!str, !!int, !!float, !!bool, !!null) can be used", tag)
	}
	value, err := resolvePlain(text)
	if err != nil {
		return nil, err
	}
	fits := false
	switch v := value.(type) {
	case nil:
		fits = tag == tagNull
	case bool:
		fits = tag == tagBool
	case float64:
		fits = tag == tagFloat
	case int64:
		if tag == tagFloat {
			return float64(v), nil
		}
		fits = tag == tagInt
	}
	if !fits {
		return nil, fmt.Errorf("does not fit its tag %s", tag)
	}
	return value, nil
}

// scalarText returns the text of a value in a live object as a template or a variable would write it, or false if the
// value is not a scalar. It is in Unicode NFC, as all that Terraform records.
func scalarText(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return norm.NFC.String(v), true
	case bool:
		return strconv.FormatBool(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), true
	}
	return "", false
}
