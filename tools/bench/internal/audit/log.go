// Package audit counts the requests of one user in the audit log of a kube-apiserver.
// The requests of controllers do not count.
package audit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// pollInterval is how often [Log.Until] reads new lines.
const pollInterval = 20 * time.Millisecond

// Event is an event of an audit log: a request at one stage. It has only the fields that
// are used here. See https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/.
type Event struct {
	ID         string `json:"auditID"`
	Stage      string `json:"stage"`
	RequestURI string `json:"requestURI"`
	Verb       string `json:"verb"`
	UserAgent  string `json:"userAgent"`
	User       struct {
		Username string `json:"username"`
	} `json:"user"`
	ObjectRef *struct {
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
	} `json:"objectRef"`
	ResponseStatus *struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
}

// Log reads an audit log, and remembers how far it was read.
type Log struct {
	path   string
	offset int64
}

// Open opens the log in a file at its present end.
func Open(path string) (*Log, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	return &Log{path: path, offset: info.Size()}, nil
}

// Until returns the events before the one for which isMark is true: a request that the
// caller has made to mark the end.
func (l *Log) Until(ctx context.Context, isMark func(Event) bool) ([]Event, error) {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	var events []Event
	for {
		more, err := l.next()
		if err != nil {
			return nil, err
		}
		for _, event := range more {
			if isMark(event) {
				return events, nil
			}
			events = append(events, event)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("audit log %s: the request that marks the end does not appear: %w", l.path, ctx.Err())
		case <-ticker.C:
		}
	}
}

// next returns the events of all complete lines that were not read yet.
func (l *Log) next() ([]Event, error) {
	file, err := os.Open(l.path)
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	defer func() { _ = file.Close() }()
	if info, err := file.Stat(); err != nil {
		return nil, err
	} else if info.Size() < l.offset {
		return nil, fmt.Errorf("audit log %s has shrunk: it must not be rotated while the benchmark runs", l.path)
	}
	if _, err := file.Seek(l.offset, io.SeekStart); err != nil {
		return nil, err
	}
	var events []Event
	reader := bufio.NewReaderSize(file, 1<<20)
	for {
		line, err := reader.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return events, nil // an incomplete line is read again next time
		}
		if err != nil {
			return nil, err
		}
		l.offset += int64(len(line))
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		event, err := parse(line)
		if err != nil {
			return nil, fmt.Errorf("audit log %s: %w", l.path, err)
		}
		events = append(events, event)
	}
}

func parse(line []byte) (Event, error) {
	var event Event
	if err := json.Unmarshal(line, &event); err != nil {
		return event, fmt.Errorf("%w in line %.200q", err, line)
	}
	return event, nil
}

// Requester selects requests by who made them.
type Requester struct {
	// Username is the user name at the API server.
	Username string
	// UserAgent is a prefix of the user agent, or empty for any.
	UserAgent string
}

func (r Requester) made(event Event) bool {
	return event.User.Username == r.Username && strings.HasPrefix(event.UserAgent, r.UserAgent)
}
