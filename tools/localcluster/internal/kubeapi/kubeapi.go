// Package kubeapi speaks the few words of the Kubernetes API that a local
// cluster needs to be set up and checked.
//
// It is plain HTTP with client certificates on purpose. client-go would make
// this program, which everything else waits for on a fresh machine, take
// minutes instead of seconds to build.
package kubeapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// fieldManager owns the objects that Apply writes.
const fieldManager = "localcluster"

// maxBody bounds what is read of an answer, in bytes.
const maxBody = 4 << 20

// Client calls one server.
type Client struct {
	base string
	http *http.Client
}

// StatusError is an answer other than 2xx.
type StatusError struct {
	// Method and Path are the request's.
	Method, Path string
	// Code is the HTTP status code.
	Code int
	// Message is what the server says, shortened.
	Message string
}

// Error implements error.
func (e *StatusError) Error() string {
	return fmt.Sprintf("%s %s: %d %s: %s", e.Method, e.Path, e.Code, http.StatusText(e.Code), e.Message)
}

// Credentials are files that say whom to trust and who is calling.
type Credentials struct {
	// CA is the authority that signed the server's certificate.
	CA string
	// Certificate and Key are the client's; both may be empty.
	Certificate, Key string
}

// New makes a client of the server at base, such as https://127.0.0.1:6443.
func New(base string, credentials Credentials) (*Client, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
	ca, err := os.ReadFile(credentials.CA)
	if err != nil {
		return nil, err
	}
	if !config.RootCAs.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("%s holds no certificate", credentials.CA)
	}
	if credentials.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(credentials.Certificate, credentials.Key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return &Client{
		base: base,
		http: &http.Client{
			Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true},
			// An answer that never comes must not stop a caller that would ask again.
			// Longer than a busy machine takes to answer.
			Timeout: 30 * time.Second,
		},
	}, nil
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Check asks a health endpoint and returns nil if it answers 200.
func (c *Client) Check(ctx context.Context, path string) error {
	_, err := c.do(ctx, http.MethodGet, path, "", nil)
	return err
}

// Get reads an object into out.
func (c *Client) Get(ctx context.Context, path string, out any) error {
	body, err := c.do(ctx, http.MethodGet, path, "", nil)
	if err != nil {
		return err
	}
	return decode(path, body, out)
}

// Post sends in as JSON and reads the answer into out.
func (c *Client) Post(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	body, err = c.do(ctx, http.MethodPost, path, "application/json", body)
	if err != nil {
		return err
	}
	return decode(path, body, out)
}

// Apply writes the YAML of one object by server-side apply.
func (c *Client) Apply(ctx context.Context, path string, manifest []byte) error {
	_, err := c.do(ctx, http.MethodPatch, path+"?fieldManager="+fieldManager+"&force=true", "application/apply-patch+yaml", manifest)
	return err
}

func (c *Client) do(ctx context.Context, method, path, contentType string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return nil, &StatusError{Method: method, Path: path, Code: response.StatusCode, Message: message(answer)}
	}
	return answer, nil
}

func decode(path string, body []byte, out any) error {
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("read the answer of %s: %w", path, err)
	}
	return nil
}

// message takes the sentence out of a metav1.Status, or the head of any other
// body.
func message(body []byte) string {
	var status struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &status) == nil && status.Message != "" {
		return status.Message
	}
	const limit = 500
	body = bytes.TrimSpace(body)
	if len(body) > limit {
		body = append(body[:limit:limit], "..."...)
	}
	return string(body)
}
