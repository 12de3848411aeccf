package kube

import (
	"context"
	"net/http"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/mira-cluster/terraform-provider-mira/internal/connection"
)

// logBytes bounds what is read of a log.
const logBytes = 64 << 10

// verbLogs is what a missing right to read logs is about.
const verbLogs = "read the log of"

// Logs reads the last lines of a container's log: of its present run, or of the
// run before that if previous is true.
func (c *Client) Logs(ctx context.Context, namespace, pod, container string, previous bool, lines int64) (string, error) {
	client, err := c.core()
	if err != nil {
		return "", c.connection.Explain(err)
	}
	result := client.Get().Namespace(namespace).Resource("pods").Name(pod).SubResource("log").
		Param("container", container).
		Param("previous", strconv.FormatBool(previous)).
		Param("tailLines", strconv.FormatInt(lines, 10)).
		Param("limitBytes", strconv.Itoa(logBytes)).
		Do(ctx)
	// Unlike the error of Raw, that of Error has the message in it.
	err = result.Error()
	var data []byte
	if err == nil {
		data, err = result.Raw()
	}
	if err != nil {
		return "", c.errors.translate(verbLogs, NewRef(schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, namespace, pod), err)
	}
	return string(data), nil
}

// coreClient returns a client for what is not an object, on a connection that is
// shared with the one for objects.
func coreClient(conn *connection.Connection, shared *http.Client) (rest.Interface, error) {
	config := dynamic.ConfigFor(conn.Config)
	config.APIPath, config.GroupVersion = "/api", &corev1.SchemeGroupVersion
	client, err := rest.RESTClientForConfigAndClient(config, shared)
	if err != nil {
		return nil, err
	}
	return sentOnce{client}, nil
}
