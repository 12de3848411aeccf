// Package terraform stands in for a package of Terraform's own tests, whose
// module is not published. The programs that are built do not import it.
package terraform
