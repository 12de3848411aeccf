package rollout

import (
	"errors"
	"net/http"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
)

// Bounds of the pauses between requests to a server that cannot be reached.
const (
	firstRetry = 500 * time.Millisecond
	lastRetry  = 10 * time.Second
)

// retryPauses returns the pauses between requests to a server that cannot be
// reached: its Step method returns one after the other.
func retryPauses() wait.Backoff {
	return wait.Backoff{Duration: firstRetry, Factor: 2, Cap: lastRetry, Steps: 10}
}

// maxRefusals is how many refusals in a row end an informer that has been watching.
// A server that restarts may refuse those who have every right until it has read
// its roles.
const maxRefusals = 5

// contact is how the server has answered the requests of an informer.
type contact struct {
	mu sync.Mutex
	// refused is an answer that will not change.
	refused error
	// lost is the last failure to reach the server, nil after a success.
	lost error
	// watched reports whether a WATCH has succeeded, which proves the rights.
	watched bool
	// refusals counts the refusals in a row.
	refusals int
}

// contactChange is what a request changes about the contact with the server.
type contactChange int

const (
	contactUnchanged contactChange = iota
	contactLost
	contactRegained
	contactRefused // for good
)

// note takes in the outcome of a request.
func (c *contact) note(isWatch bool, err error) contactChange {
	c.mu.Lock()
	defer c.mu.Unlock()
	wasLost := c.lost != nil
	c.lost = err
	switch {
	case err == nil:
		c.refusals = 0
		c.watched = c.watched || isWatch
	case isRefusal(err):
		c.refusals++
		if c.refusals >= c.tolerated(err) {
			c.refused, c.lost = err, nil
			return contactRefused
		}
	}
	switch isLost := err != nil; {
	case isLost == wasLost:
		return contactUnchanged
	case isLost:
		return contactLost
	}
	return contactRegained
}

// tolerated is how many refusals in a row are needed to believe one.
func (c *contact) tolerated(err error) int {
	switch {
	case c.watched:
		return maxRefusals
	case apierrors.IsUnauthorized(err):
		// client-go runs a credential plugin again for the request after the one
		// that was refused.
		return 2
	}
	return 1
}

// refuse notes an error that will not go away.
func (c *contact) refuse(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused = err
}

// state returns the refusal that ended the informer, and the last failure to reach
// the server; nil if there is none.
func (c *contact) state() (refused, lost error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refused, c.lost
}

// isRefusal reports whether an error is an answer that a repetition of the request
// does not change, unlike an outage.
func isRefusal(err error) bool {
	switch code := statusCode(err); code {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusGone:
		return false
	default:
		return code >= 400 && code < 500
	}
}

// isOutage reports whether the same request may succeed later. A resource version
// that the server has forgotten, or does not know yet, needs another request.
func isOutage(err error) bool {
	return err != nil && !isRefusal(err) && statusCode(err) != http.StatusGone &&
		!apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge)
}

// statusCode is the status of the server's answer; 0 if there was none.
func statusCode(err error) int {
	var answer apierrors.APIStatus
	if !errors.As(err, &answer) {
		return 0
	}
	return int(answer.Status().Code)
}
