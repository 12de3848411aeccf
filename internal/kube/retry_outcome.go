package kube

import (
	"context"
	"errors"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// IsOutcomeUnknown reports whether the error of a write leaves open whether the server has
// carried it out: there was no answer, or one that something on the way gave. Who needs
// to know must look.
func IsOutcomeUnknown(err error) bool {
	var status apierrors.APIStatus
	var attempts *attemptsError
	switch {
	case errors.As(err, &attempts):
		return attempts.isUnknown
	case !errors.As(err, &status):
		return false
	}
	answer := status.Status()
	switch answer.Code {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true // also 429: an attempt before may have got no answer
	case http.StatusInternalServerError:
		return isPassing500(&answer)
	}
	return false
}

// persist repeats what must not be left half-way while the server cannot answer, until the
// context ends. The requests in it have been repeated already.
func persist(ctx context.Context, do func() error) error {
	for {
		err := do()
		var recreation *RecreationError
		if err == nil || !isOutage(err) || errors.As(err, &recreation) {
			return err
		}
		timer := time.NewTimer(longestPause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

// isOutage reports whether an error says that the server could not answer.
func isOutage(err error) bool {
	var attempts *attemptsError
	return IsOutcomeUnknown(err) || errors.As(err, &attempts)
}
