package kube

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/client-go/rest"

	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
)

// requestLog writes each request to the debug log: its method, path, status and
// duration, and which attempt it is. Bodies, headers and secrets never get there.
type requestLog struct {
	next http.RoundTripper

	// failed holds the number of attempts, by method and URL, for requests that
	// client-go is about to repeat. It does not say which requests are repetitions.
	failed *cache.LRUExpireCache
}

const (
	// failedRequests bounds how many failed requests are remembered at a time.
	failedRequests = 128
	// repeatedWithin is how long after the pause that the server has asked for a
	// request is still taken for the repetition of a failed one.
	repeatedWithin = 10 * time.Second
)

// logRequests returns a configuration whose requests are written to the debug log of
// their contexts. It leaves the one that it is made of as it is.
func logRequests(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return &requestLog{next: next, failed: cache.NewLRUExpireCache(failedRequests)}
	})
	return config
}

// RoundTrip sends a request and writes it to the log.
func (l *requestLog) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx := request.Context()
	if !logging.IsEnabled(ctx) {
		return l.next.RoundTrip(request)
	}
	attempt := l.attempt(request)
	begun := time.Now()
	response, err := l.next.RoundTrip(request)
	about := []any{"method", request.Method, "path", loggedPath(request.URL), "attempt", attempt, "duration", time.Since(begun)}
	if err != nil {
		logging.Debug(ctx, "Sent a request without an answer", append(about, "error", err)...)
	} else {
		logging.Debug(ctx, "Sent a request", append(about, "status", response.StatusCode)...)
	}
	if pause, ok := repetitionPause(response, err); ok && ctx.Err() == nil {
		l.failed.Add(requestKey(request), attempt, pause+repeatedWithin)
	}
	return response, err
}

// attempt returns the number of a request among its repetitions, from 1.
func (l *requestLog) attempt(request *http.Request) int {
	key := requestKey(request)
	failed, ok := l.failed.Get(key)
	if !ok {
		return 1
	}
	l.failed.Remove(key)
	return failed.(int) + 1
}

func requestKey(request *http.Request) string { return request.Method + " " + request.URL.String() }

// repetitionPause returns how long client-go pauses before it repeats a request with
// this outcome, if it does.
func repetitionPause(response *http.Response, err error) (time.Duration, bool) {
	if err != nil {
		return time.Second, true
	}
	if response.StatusCode != http.StatusTooManyRequests && response.StatusCode < http.StatusInternalServerError {
		return 0, false
	}
	seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
	return time.Duration(seconds) * time.Second, err == nil
}

// loggedParameters are the parameters of a request that say what it does. Others are
// not logged: what the server calls a continue token is long, and says nothing.
var loggedParameters = []string{"dryRun", "fieldManager", "fieldSelector", "force", "labelSelector", "limit", "watch"}

// loggedPath returns the path of a URL, with the parameters that are logged.
func loggedPath(address *url.URL) string {
	given, logged := address.Query(), make(url.Values)
	for _, name := range loggedParameters {
		if values, ok := given[name]; ok {
			logged[name] = values
		}
	}
	if len(logged) == 0 {
		return address.Path
	}
	return address.Path + "?" + logged.Encode()
}
