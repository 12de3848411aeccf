package protocoltest

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/hashicorp/terraform-plugin-log/tflogtest"
)

// answer is what core reads of an answer to a refresh, a plan or a state upgrade.
type answer struct {
	state           *tfprotov6.DynamicValue
	identity        *tfprotov6.ResourceIdentityData
	private         []byte
	requiresReplace []*tftypes.AttributePath
	deferred        *tfprotov6.Deferred
	diagnostics     []*tfprotov6.Diagnostic
	err             error // of the call itself
}

func (w *walk) upgradeResourceState(ctx context.Context, req *tfprotov6.UpgradeResourceStateRequest) (answer, error) {
	return w.ask(ctx, "UpgradeResourceState", func(ctx context.Context, server tfprotov6.ProviderServer) answer {
		resp, err := server.UpgradeResourceState(ctx, req)
		if resp == nil {
			return answer{err: err}
		}
		return answer{state: resp.UpgradedState, diagnostics: resp.Diagnostics, err: err}
	})
}

func (w *walk) readResource(ctx context.Context, req *tfprotov6.ReadResourceRequest) (answer, error) {
	return w.ask(ctx, "ReadResource", func(ctx context.Context, server tfprotov6.ProviderServer) answer {
		resp, err := server.ReadResource(ctx, req)
		if resp == nil {
			return answer{err: err}
		}
		return answer{
			state: resp.NewState, identity: resp.NewIdentity, private: resp.Private, deferred: resp.Deferred,
			diagnostics: resp.Diagnostics, err: err,
		}
	})
}

func (w *walk) planResourceChange(ctx context.Context, req *tfprotov6.PlanResourceChangeRequest) (answer, error) {
	return w.ask(ctx, "PlanResourceChange", func(ctx context.Context, server tfprotov6.ProviderServer) answer {
		resp, err := server.PlanResourceChange(ctx, req)
		if resp == nil {
			return answer{err: err}
		}
		return answer{
			state: resp.PlannedState, identity: resp.PlannedIdentity, private: resp.PlannedPrivate,
			requiresReplace: resp.RequiresReplace, deferred: resp.Deferred, diagnostics: resp.Diagnostics, err: err,
		}
	})
}

// ask puts a request to both servers, and returns the answer of the one under test,
// with the errors that it holds. Another answer of the reference is an error, too.
func (w *walk) ask(ctx context.Context, rpc string, call func(context.Context, tfprotov6.ProviderServer) answer) (answer, error) {
	var log logBuffer
	served := call(tflogtest.RootLogger(ctx, &log), w.served)
	isFast, err := log.has(w.FastPathMessage)
	if err != nil {
		return served, err
	}
	by := "the framework"
	if isFast {
		by = "the fast path"
		if w.fastAnswers == nil {
			w.fastAnswers = make(map[string]int)
		}
		w.fastAnswers[rpc]++
	}
	if w.reference == nil {
		return served, failure(served.diagnostics, served.err)
	}
	if diff := w.compare(served, call(ctx, w.reference)); diff != "" {
		return served, &differenceError{rpc: rpc, by: by, diff: diff}
	}
	return served, failure(served.diagnostics, served.err)
}

// differenceError says that the server under test has answered otherwise than the
// reference.
type differenceError struct{ rpc, by, diff string }

func (e *differenceError) Error() string {
	return fmt.Sprintf("%s, answered by %s, differs from the reference (-under test +reference):\n%s", e.rpc, e.by, e.diff)
}

// compare returns how two answers differ; "" for equal ones.
func (w *walk) compare(a, b answer) string {
	var parts []string
	note := func(what, diff string) {
		if diff != "" {
			parts = append(parts, what+":\n"+diff)
		}
	}
	if a.state == nil || b.state == nil {
		note("state", cmp.Diff(a.state, b.state))
	} else {
		first, errFirst := a.state.Unmarshal(w.typ)
		second, errSecond := b.state.Unmarshal(w.typ)
		switch {
		case errFirst != nil || errSecond != nil:
			note("state", fmt.Sprintf("cannot be read: %v; %v", errFirst, errSecond))
		case !first.Equal(second):
			note("state", differences(first, second))
		}
	}
	note("identity", cmp.Diff(a.identity, b.identity))
	note("private state", cmp.Diff(string(a.private), string(b.private)))
	note("attributes that require a replacement", cmp.Diff(a.requiresReplace, b.requiresReplace))
	note("deferral", cmp.Diff(a.deferred, b.deferred))
	note("diagnostics", cmp.Diff(a.diagnostics, b.diagnostics))
	note("error of the call", cmp.Diff(fmt.Sprint(a.err), fmt.Sprint(b.err)))
	return strings.Join(parts, "\n")
}

// logBuffer holds the log of a call. What the call has left running may still write.
type logBuffer struct {
	mu    sync.Mutex
	lines bytes.Buffer
}

func (b *logBuffer) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lines.Write(data)
}

// has reports whether a message was logged.
func (b *logBuffer) has(message string) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	entries, err := tflogtest.MultilineJSONDecode(&b.lines)
	if err != nil {
		return false, fmt.Errorf("reading the log of a call: %w", err)
	}
	for _, entry := range entries {
		if entry["@message"] == message {
			return true, nil
		}
	}
	return false, nil
}
