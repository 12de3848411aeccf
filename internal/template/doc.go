// Package template renders the text of a client template and the values of one client into Kubernetes objects, and
// recovers the values from objects that exist. It does no I/O.
//
// # Placeholders
//
// A placeholder is a name between percent signs: capital letters, digits and underscores, at least two characters,
// beginning with a letter and not ending in an underscore. %CLIENT_NAME%, %CLUSTER_DOMAIN% and %EMAIL_ADMIN% are built
// in, every other name is a variable. Anything else with percent signs (%%, 50%, +%Y%m%d, %X%) is text. So is what looks
// like a placeholder within a date format (+%FT%TZ) or an encoded URL (%C3%A9), unless it has a value; a placeholder
// without a value is an error anywhere else.
//
// The text is parsed before any value is put in: each placeholder is replaced by a word that is harmless everywhere in
// YAML, and the values go into the parsed tree. A value can therefore never change the structure around it. (Replacing
// placeholders in the text, as the Django controller did, breaks on an apostrophe in an e-mail address and turns a
// client called 123 into a number.) Values are not expanded again: to write the text %PATH% literally, set a variable
// PATH to the value %PATH%.
//
// # Types
//
// A built-in is always a string. A variable that fills a whole plain (unquoted) scalar takes the type that YAML
// assigns to its text, so that replicas: %REPLICAS% is a number. It is never a mapping, list, alias or tag. Within a
// longer scalar, within quotes and within a block scalar every value is text.
//
// Literal scalars are read as kubectl reads them: yes, no, on, off, y and n are booleans, timestamps are text, 0644 and
// 0o644 are octal. Keys are text, as they are written. What neither JSON nor a Kubernetes object can express (.nan, .inf,
// integers beyond 64 bits, !!binary) is an error.
//
// # What is dropped and what is refused
//
// Templates are usually exported from a live cluster. Fields that the API server fills in (status, uid, resourceVersion
// and so on) are therefore dropped. Mapping entries that are null count as absent.
//
// A template may be edited by people who have fewer rights than those who run Terraform. Render therefore refuses
// objects of kinds that are not allowed, objects in other namespaces, and names that do not depend on the client.
package template
