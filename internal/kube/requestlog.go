package kube

import (
	"net/http"
	"net/url"
	"time"

	"k8s.io/client-go/rest"

	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
)

// requestLog writes each request to the debug log: its method, path, status and
// duration, and which attempt it is. Bodies, headers and secrets never get there.
type requestLog struct{ next http.RoundTripper }

// logRequests returns a configuration whose requests are written to the debug log of
// their contexts. It leaves the one that it is made of as it is.
func logRequests(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return &requestLog{next: next}
	})
	return config
}

// RoundTrip sends a request and writes it to the log.
func (l *requestLog) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx := request.Context()
	if !logging.IsEnabled(ctx) {
		return l.next.RoundTrip(request)
	}
	begun := time.Now()
	response, err := l.next.RoundTrip(request)
	about := []any{"method", request.Method, "path", loggedPath(request.URL), "attempt", attemptOf(ctx), "duration", time.Since(begun)}
	if err != nil {
		logging.Debug(ctx, "Sent a request without an answer", append(about, "error", err)...)
	} else {
		logging.Debug(ctx, "Sent a request", append(about, "status", response.StatusCode)...)
	}
	return response, err
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
