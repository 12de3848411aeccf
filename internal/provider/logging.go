package provider

import (
	"context"
	"fmt"
	"maps"
	"os"
	"strings"

	"github.com/go-logr/logr"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

// LogLevelVariable is the environment variable that sets the level of the provider's own
// log. plugin-go makes its name of the provider's.
const LogLevelVariable = "TF_LOG_PROVIDER_MIRA"

// logsDebug reports whether debug messages are written. Without the variable they are:
// the CLI discards what its own level leaves out.
func logsDebug() bool {
	switch strings.ToUpper(os.Getenv(LogLevelVariable)) {
	case "INFO", "WARN", "ERROR", "OFF":
		return false
	}
	return true
}

// withLogger returns a context in which the packages that know nothing of Terraform,
// and client-go, write to the provider's log.
func (s *server) withLogger(ctx context.Context) context.Context {
	if !s.logsDebug {
		return ctx
	}
	return logging.NewContext(ctx, logr.New(logSink{ctx: ctx, secrets: s.secrets()}))
}

// logSink writes to the log of a call. Everything goes to the debug level: what an
// operator has to know is in the diagnostics.
type logSink struct {
	ctx     context.Context         // of the call, without the logger
	secrets *managedfields.Register // that are redacted
	fields  map[string]any
}

func (logSink) Init(logr.RuntimeInfo) {}

// Enabled lets through what [logging.Debug] writes, and not the details of client-go.
func (logSink) Enabled(level int) bool { return level <= 1 }

func (s logSink) Info(_ int, message string, keysAndValues ...any) {
	tflog.Debug(s.ctx, message, s.with(keysAndValues))
}

func (s logSink) Error(err error, message string, keysAndValues ...any) {
	tflog.Debug(s.ctx, message, s.with(append([]any{"error", err}, keysAndValues...)))
}

func (s logSink) WithValues(keysAndValues ...any) logr.LogSink {
	return logSink{ctx: s.ctx, secrets: s.secrets, fields: s.with(keysAndValues)}
}

func (s logSink) WithName(name string) logr.LogSink {
	return s.WithValues("logger", name)
}

// with returns the fields of the sink and further ones, without secrets.
func (s logSink) with(keysAndValues []any) map[string]any {
	fields := make(map[string]any, len(s.fields)+len(keysAndValues)/2)
	maps.Copy(fields, s.fields)
	for i := 0; i+1 < len(keysAndValues); i += 2 {
		value := keysAndValues[i+1]
		switch text := value.(type) {
		case error:
			value = fmt.Sprint(text) // an error may have no fields that could be encoded
		case fmt.Stringer:
			value = text.String()
		}
		text := fmt.Sprint(value)
		if redacted := s.secrets.Redact(text); redacted != text {
			value = redacted
		}
		fields[fmt.Sprint(keysAndValues[i])] = value
	}
	return fields
}
