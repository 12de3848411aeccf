// Package template turns the text of a client template and the values of one client into Kubernetes objects, and finds
// the values again in objects that exist. It does no I/O.
//
// # Placeholders
//
// A placeholder is a name between percent signs: capital letters, digits and underscores, at least two characters,
// beginning with a letter and not ending in an underscore. %CLIENT_NAME%, %CLUSTER_DOMAIN% and %EMAIL_ADMIN% are built
// in, every other name is a variable. Anything else with percent signs (%%, 50%, +%Y%m%d, %X%) is text.
//
// The controller that this package replaces put values into the text and parsed the result, so that an apostrophe in an
// e-mail address broke a template and a client called 123 became a number. Here the text is parsed first, with each
// placeholder hidden behind a word that is harmless everywhere in YAML, and values are put into the parsed tree. A
// value can therefore never change the structure around it. Values are not expanded again: a variable PATH with the
// value %PATH% is how a template holds that text literally.
//
// # Types
//
// A built-in is always a string. A variable that fills a whole plain (unquoted) scalar takes the type YAML gives to its
// text, so that replicas: %REPLICAS% is a number; it is never a mapping, list, alias or tag. Within a longer scalar and
// within quotes or a block scalar every value is text.
//
// Literal scalars are read as kubectl and PyYAML both read them: yes, no, on and off are booleans, y and n are text,
// timestamps are text, 0644 and 0o644 are octal. What JSON or a Kubernetes object cannot hold (.nan, .inf, integers
// beyond 64 bits, !!binary) is an error.
//
// # What is dropped and what is refused
//
// Templates are usually exported from a live cluster, so what the API server fills in (status, uid, resourceVersion and
// so on) is dropped. Mapping entries that are null count as absent.
//
// A template may be edited by people who have fewer rights than those who run Terraform. Render therefore refuses
// objects of kinds that are not allowed, of other namespaces, and with names that do not depend on the client.
package template
