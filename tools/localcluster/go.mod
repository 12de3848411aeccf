module github.com/mira-cluster/terraform-provider-mira/tools/localcluster

go 1.26.8

require golang.org/x/sys v0.43.0
