package connection_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
	"github.com/mira-cluster/terraform-provider-mira/internal/connection"
)

// settingsOf are the settings that stand for a kubeconfig with a token.
func settingsOf(t *testing.T, kubeconfig string) connection.Settings {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	insecure := config.Insecure
	return connection.Settings{
		Host: config.Host, ClusterCACertificate: string(config.CAData), TLSServerName: config.ServerName,
		Token: config.BearerToken, Insecure: &insecure,
	}
}

func TestAPIConnection(t *testing.T) {
	t.Parallel()
	sandbox := acctest.NewSandbox(t)
	sandbox.PutConfigMap(t, "templates-yaml", map[string]string{"client_template.yaml": ""})
	settings := settingsOf(t, sandbox.Kubeconfig)
	asPlugin := settings
	asPlugin.Token = ""
	asPlugin.Exec = plugin("client.authentication.k8s.io/v1", settings.Token)
	wrong := settings
	wrong.Token = "not-a-token"

	tests := map[string]struct {
		settings  connection.Settings
		variables map[string]string
		want      func(error) bool
	}{
		"by kubeconfig": {
			settings: connection.Settings{ConfigPath: sandbox.Kubeconfig},
			want:     func(err error) bool { return err == nil },
		},
		"by KUBECONFIG, whose user has a client certificate": {
			variables: map[string]string{"KUBECONFIG": os.Getenv("KUBECONFIG")},
			want:      func(err error) bool { return err == nil },
		},
		"by a token that the kubeconfig's client certificate must not outdo": {
			settings:  connection.Settings{Token: wrong.Token},
			variables: map[string]string{"KUBECONFIG": os.Getenv("KUBECONFIG")},
			want:      apierrors.IsUnauthorized,
		},
		"by host and token": {
			settings: settings,
			want:     func(err error) bool { return err == nil },
		},
		"by a credential plugin": {
			settings: asPlugin,
			want:     func(err error) bool { return err == nil },
		},
		"by a token that the server does not know": {
			settings: wrong,
			want: func(err error) bool {
				var unreachable *connection.UnreachableError
				return errors.As(err, &unreachable) && strings.Contains(err.Error(), "does not accept the credentials")
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			conn, err := connection.Connect(test.settings, surroundings{variables: test.variables}.environment(), "test")
			if err != nil {
				t.Fatal(err)
			}
			err = conn.Explain(readIn(t, conn, sandbox.Namespace, "templates-yaml"))
			if !test.want(err) {
				t.Errorf("got %v", err)
			}
		})
	}
}
