// Package mira is the domain: what a client of the fleet is, and how one is
// planned, created or adopted, updated, read, imported and deleted. It stands on
// the packages template, cluster and rollout, and knows nothing of Terraform.
//
// # Order of work
//
// Everything that can be refused is refused before the first write of a client:
// the template is rendered and checked, ownership is looked at, and every object
// passes a dry run on the server. Objects are written in the order of the
// template and deleted in reverse.
//
// # Data
//
// PersistentVolumeClaims belong to the client's data, not to its objects: nothing
// here deletes one unless the configuration asks for it by delete_data.
package mira
