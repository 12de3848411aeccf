package kube

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// outcome is what an attempt says about a request.
type outcome int

const (
	// outcomeAnswered: the answer counts, whatever it says.
	outcomeAnswered outcome = iota + 1
	// outcomeFailed: an error that a repetition does not change, such as a certificate
	// that is not valid.
	outcomeFailed
	// outcomeEnded: the caller's context has ended.
	outcomeEnded
	// outcomeNotSent: the request never got to the server.
	outcomeNotSent
	// outcomeThrottled: the server did not look at the request, as it has too many.
	outcomeThrottled
	// outcomeLost: the request may have been carried out, but there is no whole answer.
	outcomeLost
	// outcomePassing: an answer that says so little as that.
	outcomePassing
	// outcomeUnauthorized is a 401, outcomeForbidden a 403.
	outcomeUnauthorized
	outcomeForbidden
)

// attempt is how one attempt ended.
type attempt struct {
	response *http.Response // also with an error, if only the answer's body is missing
	data     []byte         // the body
	err      error
	outcome  outcome
}

// String is the reason for a repetition, in a few words and without anything of a body.
func (a attempt) String() string {
	switch {
	case a.err != nil && a.response != nil:
		return fmt.Sprintf("the answer %d was cut short: %v", a.response.StatusCode, a.err)
	case a.err != nil:
		return a.err.Error()
	}
	return fmt.Sprintf("the answer %d %s", a.response.StatusCode, http.StatusText(a.response.StatusCode))
}

// retryAfter returns for how long the server asks to wait: in seconds, or until a date.
func (a attempt) retryAfter(now time.Time) time.Duration {
	if a.response == nil {
		return 0
	}
	value := a.response.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return date.Sub(now)
	}
	return 0
}

// judge returns what an attempt says. It does not know of the caller's context.
func judge(a attempt) outcome {
	switch {
	case a.err == nil:
		return judgeAnswer(a)
	case a.response != nil:
		return outcomeLost
	case isNotSent(a.err):
		return outcomeNotSent
	case isConnectionLost(a.err):
		return outcomeLost
	}
	return outcomeFailed
}

func judgeAnswer(a attempt) outcome {
	switch a.response.StatusCode {
	case http.StatusUnauthorized:
		return outcomeUnauthorized
	case http.StatusForbidden:
		return outcomeForbidden
	case http.StatusTooManyRequests:
		return outcomeThrottled
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return outcomePassing
	case http.StatusInternalServerError:
		status := metav1.Status{}
		_ = json.Unmarshal(a.data, &status)
		if isPassing500(&status) || a.response.Header.Get("Retry-After") != "" {
			return outcomePassing
		}
	}
	return outcomeAnswered
}

// passingTexts are parts of the 500s with which the API server hands on a failure of
// etcd that passes. There is no code for it. Any other 500 may be for good: one for an
// unknown field is.
var passingTexts = []string{
	"etcdserver: leader changed",
	"etcdserver: no leader",
	"etcdserver: not leader",
	"etcdserver: request timed out", // also with "possibly due to previous leader failure" and others
	"etcdserver: too many requests",
	"etcdserver: server stopped",
	"etcdserver: unhealthy cluster",
	"raft proposal dropped",
	"rpc error: code = Unavailable",
}

func isPassing500(status *metav1.Status) bool {
	return status.Reason == metav1.StatusReasonServerTimeout ||
		slices.ContainsFunc(passingTexts, func(text string) bool { return strings.Contains(status.Message, text) })
}

// isNotSent reports whether an error says that there was no connection on which a
// request could have been sent.
func isNotSent(err error) bool {
	var operation *net.OpError
	if errors.As(err, &operation) && (operation.Op == "dial" || operation.Op == "proxyconnect") {
		return true
	}
	return strings.HasSuffix(err.Error(), "TLS handshake timeout") // a type that net/http does not export
}

// lostTexts begin the errors of net/http and HTTP/2 that have no type to tell them by.
var lostTexts = []string{
	"http2: ", "stream error: ", "http: server closed idle connection", "net/http: HTTP/1.x transport connection broken",
}

// isConnectionLost reports whether an error says that a connection ended before there was
// a whole answer.
func isConnectionLost(err error) bool {
	var operation *net.OpError
	var silent *noAnswerError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.As(err, &silent):
		return true
	case errors.As(err, &operation):
		return operation.Op == "read" || operation.Op == "write"
	}
	return slices.ContainsFunc(lostTexts, func(text string) bool { return strings.HasPrefix(err.Error(), text) })
}

// isCutShort reports whether an answer that claims to be JSON does not end like an
// object. Something on the way may cut it without a sign.
func isCutShort(response *http.Response, data []byte) bool {
	if !strings.HasPrefix(response.Header.Get("Content-Type"), "application/json") {
		return false
	}
	data = bytes.TrimSpace(data)
	return len(data) == 0 || data[len(data)-1] != '}' && data[len(data)-1] != ']'
}

// isOfInformer reports whether a request is one of an informer: a watch, or the list before
// it, which names a resourceVersion. Informers repeat them, and have to hear of each failure:
// a rollout that was not seen is no rollout that failed.
func isOfInformer(request *http.Request) bool {
	query := request.URL.Query()
	isWatch, _ := strconv.ParseBool(query.Get("watch"))
	return isWatch || query.Has("resourceVersion")
}

// mayRepeat reports whether a request may be carried out twice:
//
//   - reads and dry runs;
//   - server-side applies, which say what the object has to be. All are of our own field
//     manager;
//   - deletes of an object by its UID: the second finds it on its way, or gone (404), or
//     another in its place (409);
//   - those whose caller looks at what is there if the second is refused ([looksAfter]).
func mayRepeat(request *http.Request) (bool, error) {
	if looks, _ := request.Context().Value(looksKey{}).(bool); looks {
		return true, nil
	}
	switch {
	case request.Method == http.MethodGet, request.Method == http.MethodHead:
		return true, nil
	case slices.Contains(request.URL.Query()["dryRun"], metav1.DryRunAll):
		return true, nil
	case request.Method == http.MethodPatch:
		return request.Header.Get("Content-Type") == string(types.ApplyPatchType), nil
	case request.Method == http.MethodDelete && request.GetBody != nil:
		body, err := request.GetBody()
		if err != nil {
			return false, err
		}
		var options metav1.DeleteOptions
		if err := json.NewDecoder(body).Decode(&options); err != nil {
			return false, nil //nolint:nilerr // not one of ours
		}
		isOfUID := options.Preconditions != nil && options.Preconditions.UID != nil
		return isOfUID || slices.Contains(options.DryRun, metav1.DryRunAll), nil
	}
	return false, nil
}

type looksKey struct{}

// looksAfter marks the requests of a context as safe to repeat: if the server refuses the
// repetition, as the object exists by now or has changed, the caller looks whether it was
// the first attempt that did it.
func looksAfter(ctx context.Context) context.Context { return context.WithValue(ctx, looksKey{}, true) }

type attemptKey struct{}

// withAttempt tells the request log which attempt a request is.
func withAttempt(ctx context.Context, number int) context.Context {
	return context.WithValue(ctx, attemptKey{}, number)
}

// attemptOf returns the number of a request among its repetitions, from 1.
func attemptOf(ctx context.Context) int {
	number, ok := ctx.Value(attemptKey{}).(int)
	if !ok {
		return 1
	}
	return number
}

type sendingKey struct{}

// sending tells the caller of a request what happened to its attempts.
type sending struct {
	// isUncertain: an attempt got no answer that says whether it was carried out.
	isUncertain bool
}

// in returns a context whose request notes here what happens to it.
func (s *sending) in(ctx context.Context) context.Context {
	return context.WithValue(ctx, sendingKey{}, s)
}

// sendingOf returns what [sending.in] has put into a context; nil if there is none.
func sendingOf(ctx context.Context) *sending {
	s, _ := ctx.Value(sendingKey{}).(*sending)
	return s
}

func (s *sending) note(c *call) {
	if s != nil {
		s.isUncertain = c.isUnknown
	}
}
