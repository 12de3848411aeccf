// Package mira is the domain: what a client of the fleet is, and how one is planned,
// created or adopted, updated, read, imported and deleted. It stands on the packages
// template, kube and rollout, and knows nothing of Terraform.
//
// # Phases
//
// [Fleet] has the verbs. A plan, a create or an update is an operation, which has its
// phases in operation.go: everything that can be refused is refused before the first
// write of a client. The template is rendered and checked, the owners of the objects
// are compared, and the server dry-runs every object. Objects are written in the order
// of the template and deleted in reverse.
//
// # Data
//
// PersistentVolumeClaims belong to the client's data, not to its objects. Nothing here
// deletes one unless the configuration asks for it by delete_data.
//
// # Texts
//
// Warnings are data; package provider has their texts. Errors have texts of their own,
// and package provider adds the advice.
package mira
