package connection

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// UnreachableError says that the API server could not be reached, or did not
// let us in, before any object was in question.
type UnreachableError struct {
	// Address is the URL of the server.
	Address string
	// Source is where the address was configured, as in [Connection.Source].
	Source string
	// Plugin is the command of the credential plugin in use, if any.
	Plugin string
	// Err is the error as client-go returned it.
	Err error
}

// Error says which address failed, what configured it, why, and what to do.
func (e *UnreachableError) Error() string {
	subject := fmt.Sprintf("the Kubernetes API server at %s (from %s)", e.Address, e.Source)
	why, do := e.cause()
	switch {
	case apierrors.IsUnauthorized(e.Err):
		return fmt.Sprintf("%s does not accept the credentials: %s; %s", subject, why, do)
	case e.isPluginFailure():
		return fmt.Sprintf("there are no credentials for %s: %s; %s", subject, why, do)
	}
	return fmt.Sprintf("cannot reach %s: %s; %s", subject, why, do)
}

// Unwrap returns the error of client-go.
func (e *UnreachableError) Unwrap() error { return e.Err }

// isUnreachable reports whether an error is a transport failure or a 401, and not an
// answer about an object or the end of the caller's context.
func isUnreachable(err error) bool {
	if errors.Is(err, context.Canceled) {
		return false
	}
	var answer apierrors.APIStatus
	if errors.As(err, &answer) {
		return apierrors.IsUnauthorized(err)
	}
	if isNetworkError(err) {
		return true
	}
	var request *url.Error
	if !errors.As(err, &request) || request.Op == "parse" {
		return false
	}
	// The caller's own deadline. A dial that timed out would be a net.OpError,
	// although that, too, claims to be a context.DeadlineExceeded.
	return !errors.Is(request.Err, context.DeadlineExceeded)
}

// isNetworkError reports whether an error comes from below HTTP.
func isNetworkError(err error) bool {
	var (
		operation   *net.OpError
		lookup      *net.DNSError
		verify      *tls.CertificateVerificationError
		authority   x509.UnknownAuthorityError
		hostname    x509.HostnameError
		certificate x509.CertificateInvalidError
		record      tls.RecordHeaderError
	)
	return errors.As(err, &operation) || errors.As(err, &lookup) || errors.As(err, &verify) ||
		errors.As(err, &authority) || errors.As(err, &hostname) || errors.As(err, &certificate) ||
		errors.As(err, &record) || errors.Is(err, http.ErrSchemeMismatch)
}

// isPluginFailure reports whether the credential plugin returned nothing. client-go has
// no type for that, but every other reason why a request can fail has one.
func (e *UnreachableError) isPluginFailure() bool {
	var request *url.Error
	if e.Plugin == "" || !errors.As(e.Err, &request) {
		return false
	}
	var network net.Error // also the time-outs of net/http
	return errors.Unwrap(request.Err) == nil && !isNetworkError(request.Err) && !isLost(request.Err) && !errors.As(request.Err, &network)
}

func isLost(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// cause returns the reason, without the URL that the address repeats, and what to do
// about it.
func (e *UnreachableError) cause() (why, do string) {
	err := e.Err
	if request, ok := errors.AsType[*url.Error](err); ok {
		err = request.Err
	}
	why = strings.TrimSuffix(err.Error(), ".")

	var (
		operation   *net.OpError
		lookup      *net.DNSError
		authority   x509.UnknownAuthorityError
		hostname    x509.HostnameError
		certificate x509.CertificateInvalidError
		record      tls.RecordHeaderError
		timeout     net.Error
	)
	isOperation := errors.As(err, &operation)
	switch {
	case apierrors.IsUnauthorized(err) && e.Plugin != "":
		return why, fmt.Sprintf("check as whom the credential plugin %s logs in, and that this cluster knows it", e.Plugin)
	case apierrors.IsUnauthorized(err):
		return why, "check that the credentials belong to this cluster and have not expired"
	case e.isPluginFailure():
		return why, fmt.Sprintf("run %s by hand with the same arguments to see why; "+
			"what it wrote stands in Terraform's log (TF_LOG=debug)", e.Plugin)
	case errors.As(err, &authority):
		return why, "check that cluster_ca_certificate, or the kubeconfig's certificate-authority, is that of this cluster"
	case errors.As(err, &hostname):
		return why, "use an address that the certificate is valid for, or name one in tls_server_name"
	case errors.As(err, &certificate):
		return why, "renew the server's certificate, or correct the clock of this machine"
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return why, "check the port, and whether the address is http or https"
	case isOperation && operation.Op == "proxyconnect":
		return why, "check the proxy: proxy_url, the kubeconfig's proxy-url, or HTTPS_PROXY"
	case isOperation && operation.Op == "remote error": // a TLS alert of the server
		return why, "check the client certificate: the server ended the TLS handshake"
	case errors.As(err, &lookup):
		return why, "check the host name, and that this machine can resolve it"
	case errors.Is(err, syscall.ECONNREFUSED):
		return why, "check that the cluster is running and that the address is still its own"
	case isLost(err):
		return why, "the connection was lost on the way; check the server and what stands before it, and try again"
	case errors.As(err, &timeout) && timeout.Timeout():
		return why, "nothing answered in time: check the address, VPN and firewall"
	}
	return why, "check the address, the network, and the proxy, if there is one"
}

// IsUnauthorized reports whether the server was reached and did not accept the
// credentials.
func (e *UnreachableError) IsUnauthorized() bool { return apierrors.IsUnauthorized(e.Err) }

// HasNoCredentials reports whether the credential plugin returned none.
func (e *UnreachableError) HasNoCredentials() bool { return e.isPluginFailure() }
