package provider

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// What the framework's server can do beyond the basic protocol is not lost.
func TestNewServer(t *testing.T) {
	server := NewServer("test")()
	if _, ok := server.(tfprotov6.ListResourceServer); !ok {
		t.Error("list resources are not served")
	}
	if _, ok := server.(tfprotov6.ActionServer); !ok {
		t.Error("actions are not served")
	}
}
