package provider

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
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

// streaming is a server whose action tells a secret whenever it can.
type streaming struct {
	frameworkServer
	err error
}

func (s streaming) InvokeAction(context.Context, *tfprotov6.InvokeActionRequest) (*tfprotov6.InvokeActionServerStream, error) {
	if s.err != nil {
		return nil, s.err
	}
	return &tfprotov6.InvokeActionServerStream{Events: slices.Values([]tfprotov6.InvokeActionEvent{
		{Type: tfprotov6.ProgressInvokeActionEventType{Message: "the log says s3cr3t"}},
		{Type: tfprotov6.CompletedInvokeActionEventType{Diagnostics: []*tfprotov6.Diagnostic{{Summary: "s3cr3t", Detail: "it is s3cr3t"}}}},
	})}, nil
}

// No secret gets out by what an action tells, whichever way it does.
func TestServer_streamsHaveNoSecrets(t *testing.T) {
	provider := newProvider("test")
	provider.secrets.Add(managedfields.NewSecrets(map[string]string{"PASSWORD": "s3cr3t"}))
	var told []string
	stream, err := (&server{provider: provider, frameworkServer: streaming{}}).InvokeAction(t.Context(), &tfprotov6.InvokeActionRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for event := range stream.Events {
		switch event := event.Type.(type) {
		case tfprotov6.ProgressInvokeActionEventType:
			told = append(told, event.Message)
		case tfprotov6.CompletedInvokeActionEventType:
			told = append(told, event.Diagnostics[0].Summary, event.Diagnostics[0].Detail)
		}
	}
	_, err = (&server{provider: provider, frameworkServer: streaming{err: errors.New("no s3cr3t")}}).
		InvokeAction(t.Context(), &tfprotov6.InvokeActionRequest{})
	told = append(told, err.Error())
	want := []string{"the log says (secret PASSWORD)", "(secret PASSWORD)", "it is (secret PASSWORD)", "no (secret PASSWORD)"}
	if !slices.Equal(told, want) {
		t.Errorf("it tells\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
	}
}
