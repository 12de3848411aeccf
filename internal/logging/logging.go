// Package logging writes the debug log of the packages that know nothing of
// Terraform. They write through the logger of the context, and discard what they
// write where there is none. Package provider puts one there.
//
// Messages are constant strings; what varies stands in key-value pairs. Neither
// bodies of requests nor values of templates are ever logged.
package logging

import (
	"context"

	"github.com/go-logr/logr"
)

// debugLevel is what Kubernetes code calls V(1).
const debugLevel = 1

// Debug writes a message with its key-value pairs.
func Debug(ctx context.Context, message string, keysAndValues ...any) {
	logr.FromContextOrDiscard(ctx).V(debugLevel).WithCallDepth(1).Info(message, keysAndValues...)
}

// IsEnabled reports whether [Debug] writes anything, for what costs time to gather.
func IsEnabled(ctx context.Context) bool {
	return logr.FromContextOrDiscard(ctx).V(debugLevel).Enabled()
}

// NewContext returns a context whose messages go to a logger.
func NewContext(ctx context.Context, logger logr.Logger) context.Context {
	return logr.NewContext(ctx, logger)
}
