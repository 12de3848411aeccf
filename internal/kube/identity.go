package kube

import (
	"context"
	"io"
	"net/http"
)

// livenessPath answers all authenticated users, and costs the server nothing.
const livenessPath = "/livez"

// priorityLevelHeader names, in every answer of the API server, the priority level of the
// request. Requests for livenessPath have the level `exempt`, whoever asks.
const priorityLevelHeader = "X-Kubernetes-Pf-Prioritylevel-Uid"

// ClusterID returns what tells this cluster from any other: the UID of its priority level
// `exempt`. The API server makes that object when a cluster begins, and nobody deletes it;
// a cluster that is restored from a backup of its etcd keeps it. It takes no right that an
// authenticated user does not have.
//
// It is empty where the server does not tell: priority and fairness may be off, a proxy may
// drop the header, or the path may be refused. The error says that there was no answer.
func (c *Client) ClusterID(ctx context.Context) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.requests.Get().AbsPath(livenessPath).URL().String(), http.NoBody)
	if err != nil {
		return "", err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return "", c.Explain(err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body) // so that the connection can be used again
	return response.Header.Get(priorityLevelHeader), nil
}
