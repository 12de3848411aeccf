package acctest

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Fault is what happens to one request between the provider and the API server.
type Fault struct {
	Name string
	// IsCarriedOut reports whether the API server carries the request out.
	IsCarriedOut bool
	do           func(w http.ResponseWriter, r *http.Request, pass http.Handler)
}

const (
	// hang is how long a request hangs before its connection is cut.
	hang = 5 * time.Second
	// outage is how long a [Faults.Restart] takes.
	outage = 5 * time.Second
)

// TransientFaults are those that pass: the same request succeeds when it is sent again.
func TransientFaults() []Fault {
	return []Fault{
		{Name: "429", do: answering(http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests, "the server has too many requests", "")},
		{Name: "429 with Retry-After", do: answering(http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests, "too many requests", "1")},
		{Name: "500 of etcd", do: answering(http.StatusInternalServerError, "", "etcdserver: leader changed", "")},
		{Name: "503", do: answering(http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, "apiserver is shutting down", "")},
		{Name: "504 with HTML", do: gatewayTimeout},
		{Name: "504 with HTML, carried out", IsCarriedOut: true, do: func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
			carryOut(r, pass)
			gatewayTimeout(w, r, pass)
		}},
		{Name: "connection cut before", do: func(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }},
		{Name: "answer lost", IsCarriedOut: true, do: func(_ http.ResponseWriter, r *http.Request, pass http.Handler) {
			carryOut(r, pass)
			panic(http.ErrAbortHandler)
		}},
		{Name: "answer cut short", IsCarriedOut: true, do: cutShort},
		{Name: "hang", do: func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
			select {
			case <-time.After(hang):
			case <-r.Context().Done():
			}
			panic(http.ErrAbortHandler)
		}},
	}
}

// RefusingFaults are answers that no repetition mends, or only for some requests.
func RefusingFaults() []Fault {
	return []Fault{
		{Name: "401", do: answering(http.StatusUnauthorized, metav1.StatusReasonUnauthorized, "Unauthorized", "")},
		{Name: "409", do: answering(http.StatusConflict, metav1.StatusReasonConflict, "the object has been modified", "")},
	}
}

func answering(code int32, reason metav1.StatusReason, message, retryAfter string) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", "application/json")
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.WriteHeader(int(code))
		_ = json.NewEncoder(w).Encode(metav1.Status{
			TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure,
			Code: code, Reason: reason, Message: message,
		})
	}
}

func gatewayTimeout(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(http.StatusGatewayTimeout)
	_, _ = w.Write([]byte("<html><body><h1>504 Gateway Time-out</h1></body></html>"))
}

// carryOut has the API server answer a request. There is no answer to a watch, which goes on.
func carryOut(r *http.Request, pass http.Handler) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	if !r.URL.Query().Has("watch") {
		pass.ServeHTTP(answer, r)
	}
	return answer
}

// cutShort passes on half of the answer.
func cutShort(w http.ResponseWriter, r *http.Request, pass http.Handler) {
	answer := carryOut(r, pass)
	maps.Copy(w.Header(), answer.Header())
	w.Header().Del("Content-Length")
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()[:answer.Body.Len()/2])
	if flusher, ok := w.(http.Flusher); ok {
		flusher.Flush()
	}
	panic(http.ErrAbortHandler)
}

// Faults is a proxy that makes requests of the sandbox's provider fail.
type Faults struct {
	cut func() // every connection
	mu  sync.Mutex
	injection
}

// injection is what happens to which request.
type injection struct {
	fault    *Fault
	countsIf func(*http.Request) bool
	left     int // requests until the fault; negative for none
	seen     int
	hit      string
	isAlways bool
	at       func() // called instead of a fault
}

// NewFaults puts a proxy between the sandbox's provider and the API server that lets
// requests fail. Only a provider whose configuration is made afterwards goes through it.
func NewFaults(t *testing.T, s *Sandbox) *Faults {
	t.Helper()
	f := &Faults{injection: injection{left: -1}}
	f.cut = s.proxy(t, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		fault, at := f.next(r)
		switch {
		case at != nil:
			at()
			pass.ServeHTTP(w, r)
		case fault != nil:
			fault.do(w, r, pass)
		default:
			pass.ServeHTTP(w, r)
		}
	})
	return f
}

// begin counts from zero again.
func (f *Faults) begin(next injection) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.injection = next
}

// next returns what is to happen to a request.
func (f *Faults) next(r *http.Request) (*Fault, func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.countsIf != nil && !f.countsIf(r) {
		return nil, nil
	}
	f.seen++
	if f.left < 0 {
		return nil, nil
	}
	f.left--
	if f.left >= 0 {
		return nil, nil
	}
	if f.isAlways {
		f.left = 0
	}
	if f.hit == "" {
		f.hit = kindOf(r)
	}
	return f.fault, f.at
}

// Inject lets the k-th request from now on fail, counted from 1, of those for which a
// function holds; nil stands for all. It replaces a fault that has not happened yet.
func (f *Faults) Inject(fault Fault, k int, of func(*http.Request) bool) {
	f.begin(injection{fault: &fault, countsIf: of, left: k - 1})
}

// InjectAll lets all requests from now on fail for which a function holds.
func (f *Faults) InjectAll(fault Fault, of func(*http.Request) bool) {
	f.begin(injection{fault: &fault, countsIf: of, isAlways: true})
}

// Call calls a function before it passes on the k-th request from now on.
func (f *Faults) Call(at func(), k int, of func(*http.Request) bool) {
	f.begin(injection{at: at, countsIf: of, left: k - 1})
}

// Kill calls a function at the k-th request from now on, and cuts that and all that follow,
// as if the provider's process had ended.
func (f *Faults) Kill(at func(), k int) {
	dead := Fault{Name: "killed", do: func(http.ResponseWriter, *http.Request, http.Handler) {
		at()
		panic(http.ErrAbortHandler)
	}}
	f.begin(injection{fault: &dead, left: k - 1, isAlways: true})
}

// Restart makes the k-th request from now on meet what a restart of the API server is for
// its callers: every connection is cut, those of watches included, and none is accepted for
// some seconds.
func (f *Faults) Restart(k int) {
	begins := sync.OnceValue(func() time.Time {
		go f.cut() // it waits for the request that has called it
		return time.Now()
	})
	down := Fault{Name: "restart", do: func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		if time.Since(begins()) < outage {
			panic(http.ErrAbortHandler)
		}
		pass.ServeHTTP(w, r)
	}}
	f.begin(injection{fault: &down, left: k - 1, isAlways: true})
}

// Count counts requests from now on, and lets none fail.
func (f *Faults) Count(of func(*http.Request) bool) { f.begin(injection{countsIf: of, left: -1}) }

// Seen returns how many requests there were since the last call of Inject, Call or Count.
func (f *Faults) Seen() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen
}

// Hit returns what the request asked for that was hit, such as `patch services`; empty if
// none was.
func (f *Faults) Hit() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hit
}

// IsWrite reports whether a request changes something: it is neither a read nor a dry run.
func IsWrite(r *http.Request) bool {
	return r.Method != http.MethodGet && !r.URL.Query().Has("dryRun") && !isDryRunDelete(r)
}

// isDryRunDelete reports whether a request is a delete that is a dry run, which stands in its body.
func isDryRunDelete(r *http.Request) bool {
	if r.Method != http.MethodDelete || r.Body == nil {
		return false
	}
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	return err == nil && bytes.Contains(body, []byte(`"dryRun"`))
}
