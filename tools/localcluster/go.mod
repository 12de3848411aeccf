module github.com/mira-cluster/terraform-provider-mira/tools/localcluster

go 1.26.8

toolchain go1.26.11

require golang.org/x/sys v0.43.0
