package protocoltest_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
	"github.com/mira-cluster/terraform-provider-mira/internal/protocoltest"
)

// clientOf is a client by its name.
type clientOf struct {
	*protocoltest.Core
	name  string
	ports map[string]string // that it asks of the nodes, by the variables of the template
	// waits: an apply waits for the rollout.
	waits bool

	last content // after the last apply
}

// moveError says that a client which moved from one template to another is not what the
// provider promises.
type moveError struct{ kind, text string }

func (e *moveError) Error() string { return e.kind + ":\n" + e.text }

// The kinds of a [moveError].
const (
	refused    = "the plan or the apply fails"
	unsettled  = "the plan after the apply is not empty"
	notLikeNew = "the client is not what a new one is"
	notRemoved = "the plan shows a removal that does not happen"
	notTold    = "a dropped field gets another value, and no warning says so"
)

func (c *clientOf) attributes() map[string]any {
	attributes := map[string]any{"name": c.name, "admin_email": "admin@acme.example", "wait_for_rollout": c.waits}
	if len(c.ports) > 0 {
		variables := make(map[string]any, len(c.ports))
		for name, port := range c.ports {
			variables[name] = port
		}
		attributes["variables"] = variables
	}
	return attributes
}

// become applies the client, checks that nothing is left to do, and returns in what it is
// not like a new client, or not what the plan has said. Without a model it is a new client.
func (c *clientOf) become(t *testing.T, s *acctest.Sandbox, model content) error {
	t.Helper()
	before := c.last
	plan, err := c.Apply(t.Context(), c.attributes())
	if err != nil {
		return &moveError{refused, err.Error()}
	}
	again, err := c.Plan(t.Context(), c.attributes())
	if err != nil {
		return &moveError{refused, fmt.Sprintf("after the apply: %v", err)}
	}
	c.last = c.content(t, s)
	var failed []error
	if !again.IsEmpty() {
		failed = append(failed, &moveError{unsettled, again.String()})
	}
	if model != nil {
		warnings := slices.Concat(plan.Warnings, again.Warnings)
		failed = append(failed, c.checkLike(model, before, warnings), c.checkTold(before, warnings))
	}
	return errors.Join(failed...)
}

// checkLike compares the client with a new one. A field may differ if a warning has named
// it as one that stays, and the plan has shown no removal of it.
func (c *clientOf) checkLike(model, before content, warnings []string) error {
	var wrong, removed []string
	for _, d := range differencesOf(model, c.last) {
		if !c.isNamed(warnings, d.object, d.path, staysTitle, earlierTitle, sharedTitle) {
			wrong = append(wrong, d.String())
			continue
		}
		state := stateOf + strings.TrimPrefix(d.object, stateOf)
		_, wasThere := before[state][d.path]
		if _, isThere := c.last[state][d.path]; wasThere && !isThere {
			removed = append(removed, d.String())
		}
	}
	return errors.Join(newMoveError(notLikeNew, wrong), newMoveError(notRemoved, removed))
}

// checkTold returns the fields that the plan has shown as removed, that have another value
// instead, and that no warning names.
func (c *clientOf) checkTold(before content, warnings []string) error {
	var untold []string
	for object, fields := range before {
		key, isState := strings.CutPrefix(object, stateOf)
		for path := range fields {
			if _, isKept := c.last[object][path]; isKept || !isState {
				continue
			}
			had, wasThere := before[key][path]
			has, isThere := c.last[key][path]
			// The warning of a recreated Service says that it gets an address.
			isTold := (path == "spec.clusterIP" || path == "spec.clusterIPs") && containsTitle(warnings, recreatedTitle) ||
				c.isNamed(warnings, key, path, defaultsTitle, staysTitle, sharedTitle)
			if wasThere && isThere && had != has && !isTold {
				untold = append(untold, fmt.Sprintf("%s %s was %s and is %s", key, path, had, has))
			}
		}
	}
	return newMoveError(notTold, untold)
}

func newMoveError(kind string, lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	return &moveError{kind, strings.Join(lines, "\n")}
}
