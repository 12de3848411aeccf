package kube

import (
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// sentOnce is a client whose requests client-go itself does not repeat: it would multiply
// what [retrier] does.
type sentOnce struct{ rest.Interface }

func (s sentOnce) Verb(verb string) *rest.Request { return s.Interface.Verb(verb).MaxRetries(0) }

func (s sentOnce) Post() *rest.Request { return s.Interface.Post().MaxRetries(0) }

func (s sentOnce) Put() *rest.Request { return s.Interface.Put().MaxRetries(0) }

func (s sentOnce) Patch(patch types.PatchType) *rest.Request {
	return s.Interface.Patch(patch).MaxRetries(0)
}

func (s sentOnce) Get() *rest.Request { return s.Interface.Get().MaxRetries(0) }

func (s sentOnce) Delete() *rest.Request { return s.Interface.Delete().MaxRetries(0) }
