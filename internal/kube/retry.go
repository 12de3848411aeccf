package kube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"

	"github.com/mira-cluster/terraform-provider-mira/internal/connection"
	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
)

// How long a request is repeated, and how often. The guide "Troubleshooting" has the same
// numbers.
const (
	// retryFor is for how long requests are repeated, from the first failure on. The
	// requests of a process share it: while the server does not come back, those that
	// follow are sent once, so that a fleet of thousands does not wait for a minute each.
	retryFor = time.Minute
	// firstContactFor is the same until there was an answer: the address may be wrong.
	firstContactFor = 5 * time.Second
	// firstPause and longestPause bound the pauses, which double. Each is lengthened by up
	// to pauseJitter of itself, so that ten requests do not come back at the same moment.
	firstPause   = 200 * time.Millisecond
	longestPause = 5 * time.Second
	pauseJitter  = 0.5
	// attemptTimeout is for how long one attempt may take. The API server itself gives up
	// after a minute (--request-timeout).
	attemptTimeout = 75 * time.Second
	// startUpFor is for how long after a lost connection a server may refuse those who
	// have every right: it has not read its roles yet.
	startUpFor = 10 * time.Second
	// outageGap is how long without a failure ends an outage, even if there was no request
	// that succeeded.
	outageGap = 2 * longestPause
)

// retrier repeats requests that failed in passing, if it is safe to do so. It stands
// between client-go and all that adds credentials, so that a repetition has fresh
// ones; client-go itself repeats nothing ([sentOnce]).
//
// What is repeated, by what happened to the request:
//
//	what happened                                    | which requests
//	-------------------------------------------------|----------------------------------------------
//	it never got there: refused, no route, no name,  | every one
//	no TLS handshake in time; or 429                 |
//	502, 503, 504; 500 of an etcd without a leader   | those that may be carried out twice: see
//	or with a time-out, or with Retry-After; the     | [mayRepeat]
//	connection was lost, or the answer cut short; no |
//	answer within attemptTimeout                     |
//	401, where credentials can be refreshed          | every one, once
//	401 and 403 right after a lost connection        | every one, for startUpFor
//	any other answer, a certificate that is not      | none
//	valid, a credential plugin that fails            |
//
// A pause is at least as long as the server asks for in Retry-After. If that is longer
// than what is left of retryFor, the answer is returned at once. The lists and watches of
// informers are not repeated here, but by the informers.
//
// Others, for comparison: client-go repeats 429 and 5xx only with Retry-After, ten times, and
// lost connections only for GET. Helm 4 repeats once, for two texts of etcd. kapp repeats
// what is known to pass. Flux and Argo CD reconcile the whole again later. Pulumi and the
// providers hashicorp/kubernetes and hashicorp/helm leave it to client-go.
type retrier struct {
	next http.RoundTripper
	// refreshes reports whether a 401 makes client-go fetch credentials again.
	refreshes bool
	outage    outage
}

// newHTTPClient returns a client that repeats requests, and writes each attempt to the
// debug log.
func newHTTPClient(conn *connection.Connection) (*http.Client, error) {
	shared, err := rest.HTTPClientFor(logRequests(conn.Config))
	if err != nil {
		return nil, err
	}
	client := *shared
	client.Transport = &retrier{next: shared.Transport, refreshes: conn.Config.ExecProvider != nil || conn.Config.BearerTokenFile != ""}
	return &client, nil
}

// RoundTrip sends a request until it has an answer that counts.
func (r *retrier) RoundTrip(request *http.Request) (*http.Response, error) {
	if isOfInformer(request) {
		response, err := r.next.RoundTrip(request)
		a := attempt{response: response, err: err}
		a.outcome = judge(a)
		r.outage.note(a)
		return response, err
	}
	call, err := newCall(r, request)
	if err != nil {
		return nil, err
	}
	ctx := request.Context()
	for {
		last := call.send()
		r.outage.note(last)
		sendingOf(ctx).note(call)
		pause, ok := call.pause(last)
		if !ok {
			return call.result(last)
		}
		logging.Debug(ctx, "Repeating a request", "method", request.Method, "path", loggedPath(request.URL),
			"attempt", call.attempts, "reason", last.String(), "pause", pause.Round(time.Millisecond))
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, &attemptsError{
				attempts: call.attempts, duration: time.Since(call.begun), isUnknown: call.isUnknown,
				last: last.String(), err: ctx.Err(),
			}
		}
	}
}

// call is one request with its repetitions.
type call struct {
	retrier   *retrier
	request   *http.Request
	mayRepeat bool
	begun     time.Time
	attempts  int
	failed    time.Time // first; zero before
	backoff   wait.Backoff
	refreshed bool // the credentials, after a 401
	isUnknown bool // an attempt got no answer that says whether it was carried out
}

func newCall(r *retrier, request *http.Request) (*call, error) {
	if request.Body != nil && request.GetBody == nil {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return nil, errors.Join(err, request.Body.Close())
		}
		request.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	}
	if request.Body != nil {
		if err := request.Body.Close(); err != nil {
			return nil, err
		}
	}
	may, err := mayRepeat(request)
	return &call{
		retrier: r, request: request, mayRepeat: may, begun: time.Now(),
		backoff: wait.Backoff{Duration: firstPause, Factor: 2, Jitter: pauseJitter, Cap: longestPause, Steps: 100},
	}, err
}

// send makes one attempt, and reads the whole answer: one that is cut short is a failure,
// too.
func (c *call) send() attempt {
	c.attempts++
	parent := c.request.Context()
	ctx, cancel := context.WithTimeout(withAttempt(parent, c.attempts), attemptTimeout)
	defer cancel()
	request := c.request.Clone(ctx)
	if c.request.GetBody != nil {
		body, err := c.request.GetBody()
		if err != nil {
			return attempt{err: err, outcome: outcomeFailed}
		}
		request.Body = body
	}
	response, err := c.retrier.next.RoundTrip(request)
	var data []byte
	if err == nil {
		data, err = readAnswer(response)
	}
	if err != nil && ctx.Err() != nil && parent.Err() == nil {
		err = &noAnswerError{after: attemptTimeout}
	}
	a := attempt{response: response, data: data, err: err}
	a.outcome = judge(a)
	if parent.Err() != nil && a.err != nil {
		a.outcome = outcomeEnded
	}
	c.isUnknown = c.isUnknown || a.outcome == outcomeLost || a.outcome == outcomePassing || a.outcome == outcomeEnded
	return a
}

// readAnswer reads the body of an answer.
func readAnswer(response *http.Response) ([]byte, error) {
	var body bytes.Buffer
	if response.ContentLength > 0 {
		body.Grow(int(response.ContentLength) + bytes.MinRead)
	}
	_, err := body.ReadFrom(response.Body)
	if closed := response.Body.Close(); err == nil {
		err = closed
	}
	if err == nil && response.StatusCode < http.StatusMultipleChoices && isCutShort(response, body.Bytes()) {
		err = io.ErrUnexpectedEOF
	}
	return body.Bytes(), err
}

// pause returns how long to wait before the next attempt; false if there is none.
func (c *call) pause(last attempt) (time.Duration, bool) {
	now := time.Now()
	switch last.outcome {
	case outcomeAnswered, outcomeFailed, outcomeEnded:
		return 0, false
	case outcomeUnauthorized:
		if c.retrier.refreshes && !c.refreshed {
			c.refreshed = true
			return firstPause, true
		}
		fallthrough
	case outcomeForbidden:
		if !c.retrier.outage.wasLost(now, startUpFor) {
			return 0, false
		}
	case outcomeLost, outcomePassing:
		if !c.mayRepeat {
			return 0, false
		}
	case outcomeNotSent, outcomeThrottled:
	}
	if c.failed.IsZero() {
		c.failed = now
	}
	pause := max(c.backoff.Step(), last.retryAfter(now))
	return pause, !now.Add(pause).After(c.retrier.outage.end(c.failed))
}

// result is what client-go gets to see.
func (c *call) result(last attempt) (*http.Response, error) {
	switch {
	case last.response != nil && last.err == nil:
		last.response.Body = io.NopCloser(bytes.NewReader(last.data))
		return last.response, nil
	case last.outcome == outcomeFailed && !c.isUnknown:
		return nil, last.err
	}
	return nil, &attemptsError{attempts: c.attempts, duration: time.Since(c.begun), isUnknown: c.isUnknown, err: last.err}
}

// attemptsError says that a request had no answer, however often it was sent.
type attemptsError struct {
	attempts  int
	duration  time.Duration
	isUnknown bool   // one of the attempts may have been carried out
	last      string // what happened to the last attempt, if err does not say it
	err       error
}

// Error adds the number of attempts to the last error.
func (e *attemptsError) Error() string {
	switch {
	case e.last != "" && e.attempts == 1:
		return fmt.Sprintf("%v (after %s)", e.err, e.last)
	case e.last != "":
		return fmt.Sprintf("%v (after %d attempts, the last one: %s)", e.err, e.attempts, e.last)
	case e.attempts > 1:
		return fmt.Sprintf("%v (%d attempts within %s)", e.err, e.attempts, e.duration.Round(100*time.Millisecond))
	}
	return e.err.Error()
}

// Unwrap returns the last error.
func (e *attemptsError) Unwrap() error { return e.err }

// noAnswerError says that the server took a request and never answered.
type noAnswerError struct{ after time.Duration }

func (e *noAnswerError) Error() string { return fmt.Sprintf("no answer within %s", e.after) }

// Timeout marks it as a [net.Error] does.
func (e *noAnswerError) Timeout() bool { return true }

// Temporary completes [net.Error].
func (e *noAnswerError) Temporary() bool { return true }

// outage is what the requests of a process know together of a server that does not
// answer as it should.
type outage struct {
	mu     sync.Mutex
	isMet  bool      // the server has answered once
	since  time.Time // zero while it answers
	last   time.Time // the last failure
	lostAt time.Time // the last failure of a connection
}

// note takes in how an attempt ended.
func (o *outage) note(a attempt) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	o.isMet = o.isMet || a.response != nil
	switch a.outcome {
	case outcomeEnded, outcomeFailed:
		return
	case outcomeAnswered, outcomeUnauthorized, outcomeForbidden:
		o.since = time.Time{}
		return
	case outcomeNotSent, outcomeLost:
		o.lostAt = now
	case outcomeThrottled, outcomePassing:
	}
	if o.since.IsZero() || now.Sub(o.last) > outageGap {
		o.since = now
	}
	o.last = now
}

// end returns until when a request is repeated that failed first at a time.
func (o *outage) end(failed time.Time) time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	from := failed
	if !o.since.IsZero() && o.since.Before(failed) {
		from = o.since
	}
	if !o.isMet {
		return from.Add(firstContactFor)
	}
	return from.Add(retryFor)
}

// wasLost reports whether a connection has failed within a time.
func (o *outage) wasLost(now time.Time, within time.Duration) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.lostAt.IsZero() && now.Sub(o.lostAt) < within
}
