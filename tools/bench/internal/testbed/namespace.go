package testbed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

const (
	// account is the name of the ServiceAccount of examples/rbac.
	account = "controller"
	// manager is the field manager of what the benchmark writes.
	manager = "mira-bench"
	// removeTimeout is how long the control plane may take to empty a namespace.
	removeTimeout = 15 * time.Minute
	// grantTimeout is how long it may take until new rights are effective.
	grantTimeout = time.Minute
	// tokenLife is how long the account's token is valid, longer than any run.
	tokenLife = 24 * time.Hour
)

// Namespace is a namespace with clients of its own, their template, and the account
// that the provider uses.
type Namespace struct {
	Name    string
	cluster *Cluster
	binding string // the name of the administrator's role binding, or empty
}

// Rights are the rights of the provider's account.
type Rights struct {
	// Manifest is the path of the roles to grant: examples/rbac/controller.yaml.
	Manifest string
	// Everything grants the rights of an administrator as well, for providers that
	// need more than this one.
	Everything bool
}

// Namespace creates a namespace with an account that has the rights.
func (c *Cluster) Namespace(ctx context.Context, name string, rights Rights) (*Namespace, error) {
	n := &Namespace{Name: name, cluster: c}
	_, err := c.admin.Resource(namespaces).Create(ctx, object("v1", "Namespace", name), metav1.CreateOptions{FieldManager: manager})
	if apierrors.IsAlreadyExists(err) {
		return nil, fmt.Errorf("namespace %q exists already, maybe from an earlier run: delete it if nobody needs it", name)
	}
	if err != nil {
		return nil, err
	}
	objects, err := readManifest(rights.Manifest)
	if err != nil {
		return n, err
	}
	for _, o := range objects {
		o.SetNamespace(name)
		if subjects, found, _ := unstructured.NestedSlice(o.Object, "subjects"); found {
			for _, subject := range subjects {
				if fields, ok := subject.(map[string]any); ok {
					fields["namespace"] = name
				}
			}
			_ = unstructured.SetNestedSlice(o.Object, subjects, "subjects")
		}
		client := c.admin.Resource(resources[o.GetKind()]).Namespace(name)
		if _, err := client.Create(ctx, o, metav1.CreateOptions{FieldManager: manager}); err != nil {
			return n, fmt.Errorf("%s %s: %w", o.GetKind(), o.GetName(), err)
		}
	}
	if rights.Everything {
		if err := n.grantEverything(ctx); err != nil {
			return n, err
		}
	}
	return n, n.awaitRights(ctx)
}

func (n *Namespace) grantEverything(ctx context.Context) error {
	binding := object("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", n.Name)
	binding.Object["roleRef"] = map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
	binding.Object["subjects"] = []any{map[string]any{"kind": "ServiceAccount", "name": account, "namespace": n.Name}}
	if _, err := n.cluster.admin.Resource(clusterBindings).Create(ctx, binding, metav1.CreateOptions{FieldManager: manager}); err != nil {
		return err
	}
	n.binding = n.Name
	return nil
}

// awaitRights waits until the rights are effective, which takes a moment.
func (n *Namespace) awaitRights(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, grantTimeout, fmt.Errorf("the rights granted in namespace %q have no effect", n.Name))
	defer cancel()
	return poll(ctx, 50*time.Millisecond, func() (bool, error) {
		request := object("authorization.k8s.io/v1", "SubjectAccessReview", "")
		request.Object["spec"] = map[string]any{
			"user":               n.Username(),
			"resourceAttributes": map[string]any{"namespace": n.Name, "verb": "patch", "group": "apps", "resource": "statefulsets"},
		}
		answer, err := n.cluster.admin.Resource(accessReviews).Create(ctx, request, metav1.CreateOptions{})
		if err != nil {
			return false, err
		}
		allowed, _, err := unstructured.NestedBool(answer.Object, "status", "allowed")
		return allowed, err
	})
}

// Username returns the account's user name at the API server.
func (n *Namespace) Username() string { return "system:serviceaccount:" + n.Name + ":" + account }

// Kubeconfig writes a kubeconfig of the account. The address is the one to connect to,
// which need not be the API server's own.
func (n *Namespace) Kubeconfig(ctx context.Context, path, address string) error {
	request := object("authentication.k8s.io/v1", "TokenRequest", account)
	request.Object["spec"] = map[string]any{"expirationSeconds": int64(tokenLife.Seconds())}
	request.SetAPIVersion(authenticationv1.SchemeGroupVersion.String())
	answer, err := n.cluster.admin.Resource(serviceAccounts).Namespace(n.Name).Create(ctx, request, metav1.CreateOptions{}, "token")
	if err != nil {
		return fmt.Errorf("token of ServiceAccount %s/%s: %w", n.Name, account, err)
	}
	token, _, err := unstructured.NestedString(answer.Object, "status", "token")
	if err != nil {
		return err
	}
	from := n.cluster.config
	ca := from.CAData
	if len(ca) == 0 && from.CAFile != "" {
		if ca, err = os.ReadFile(from.CAFile); err != nil {
			return err
		}
	}
	name := from.ServerName
	if name == "" {
		name = n.cluster.server.Hostname() // the certificate is for this name, not for the proxy
	}
	server := *n.cluster.server
	server.Host = address
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters["bench"] = &clientcmdapi.Cluster{
		Server:                   server.String(),
		CertificateAuthorityData: ca,
		TLSServerName:            name,
		InsecureSkipTLSVerify:    from.Insecure,
	}
	kubeconfig.AuthInfos["bench"] = &clientcmdapi.AuthInfo{Token: token}
	kubeconfig.Contexts["bench"] = &clientcmdapi.Context{Cluster: "bench", AuthInfo: "bench"}
	kubeconfig.CurrentContext = "bench"
	return clientcmd.WriteToFile(*kubeconfig, path)
}

// PutTemplate stores a client template in the ConfigMap that the provider reads.
func (n *Namespace) PutTemplate(ctx context.Context, text string) error {
	configMap := object("v1", "ConfigMap", mira.DefaultTemplateConfigMap)
	configMap.Object["data"] = map[string]any{mira.DefaultTemplateKey: text}
	client := n.cluster.admin.Resource(configMaps).Namespace(n.Name)
	_, err := client.Apply(ctx, configMap.GetName(), configMap, metav1.ApplyOptions{FieldManager: manager, Force: true})
	return err
}

// Remove deletes the namespace with everything in it. With wait it returns when
// nothing is left.
func (n *Namespace) Remove(ctx context.Context, wait bool) error {
	admin := n.cluster.admin
	if n.binding != "" {
		if err := admin.Resource(clusterBindings).Delete(ctx, n.binding, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	err := admin.Resource(namespaces).Delete(ctx, n.Name, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil || !wait {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, removeTimeout, fmt.Errorf("namespace %q is not empty after %s", n.Name, removeTimeout))
	defer cancel()
	return poll(ctx, time.Second, func() (bool, error) {
		_, err := admin.Resource(namespaces).Get(ctx, n.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		return false, err
	})
}

// RemoveClaims deletes the claims of the namespace, which clients leave behind, and waits
// until they are gone.
func (n *Namespace) RemoveClaims(ctx context.Context) error {
	claims := n.cluster.admin.Resource(persistentVolumeClaims).Namespace(n.Name)
	if err := claims.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, removeTimeout, fmt.Errorf("claims are left in namespace %q after %s", n.Name, removeTimeout))
	defer cancel()
	return poll(ctx, time.Second, func() (bool, error) {
		left, err := claims.List(ctx, metav1.ListOptions{})
		return err == nil && len(left.Items) == 0, err
	})
}

func object(apiVersion, kind, name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": apiVersion, "kind": kind}}
	if name != "" {
		o.SetName(name)
	}
	return o
}

func readManifest(path string) ([]*unstructured.Unstructured, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	objects, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return objects, nil
}

func decode(data []byte) ([]*unstructured.Unstructured, error) {
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	var objects []*unstructured.Unstructured
	for {
		o := &unstructured.Unstructured{}
		err := decoder.Decode(&o.Object)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		if len(o.Object) > 0 {
			objects = append(objects, o)
		}
	}
}

// poll calls isDone until it returns true or an error, or ctx ends.
func poll(ctx context.Context, interval time.Duration, isDone func() (bool, error)) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		done, err := isDone()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}
