package mira

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
	"github.com/mira-cluster/terraform-provider-mira/internal/connection"
	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

// listServer stands in for an API server that holds a fleet, and counts what it is asked for.
type listServer struct {
	mu       sync.Mutex
	template string // empty where there is none
	objects  map[string][]*unstructured.Unstructured
	refused  map[string]bool // resources that may not be listed
	log      []string
}

// newListServer holds clients of the sample template, each with a claim and a pod.
func newListServer(t *testing.T, count int) *listServer {
	t.Helper()
	s := &listServer{
		template: acctest.SampleTemplate(t), objects: make(map[string][]*unstructured.Unstructured), refused: make(map[string]bool),
	}
	for i := range count {
		name := fmt.Sprintf("c%04d", i)
		objects := liveClient(t, name)
		set := objects[2]
		set.SetUID("uid-" + set.GetUID())
		s.objects["ingresses"] = append(s.objects["ingresses"], objects[0])
		s.objects["services"] = append(s.objects["services"], objects[1])
		s.objects["statefulsets"] = append(s.objects["statefulsets"], set)
		s.objects["persistentvolumeclaims"] = append(s.objects["persistentvolumeclaims"],
			bare(t, "v1", "PersistentVolumeClaim", "mira-data-mira-"+name+"-0", `, "status": {"phase": "Bound", "capacity": {"storage": "5Gi"}}`))
		pod := bare(t, "v1", "Pod", "mira-"+name+"-0", "")
		pod.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(set, set.GroupVersionKind())})
		s.objects["pods"] = append(s.objects["pods"], pod)
	}
	return s
}

// fleet returns the fleet on the server.
func (s *listServer) fleet(t *testing.T) *Fleet {
	t.Helper()
	conn := &connection.Connection{Config: &rest.Config{Host: "http://cluster", Transport: s, QPS: -1}}
	client, err := kube.New(conn, kube.Options{Manager: managedfields.NewManager("", ClientLabel)})
	if err != nil {
		t.Fatal(err)
	}
	return NewFleet(client, Settings{ClusterDomain: acctest.Domain, AllowedKinds: DefaultAllowedKinds(), Rollout: DefaultRolloutSettings()})
}

func (s *listServer) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	segments := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	at := slices.Index(segments, "namespaces") + 2
	resource := segments[at]
	s.log = append(s.log, r.Method+" "+resource)
	var answer any
	code := http.StatusOK
	switch limit, _ := strconv.Atoi(r.URL.Query().Get("limit")); {
	case s.refused[resource]:
		code = http.StatusForbidden
		answer = map[string]any{
			"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": "Forbidden", "message": "no right",
		}
	case resource == "configmaps" && s.template == "":
		code = http.StatusNotFound
		answer = map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": "NotFound"}
	case resource == "configmaps":
		answer = map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "templates-yaml"},
			"data": map[string]any{DefaultTemplateKey: s.template}}
	default:
		from, _ := strconv.Atoi(r.URL.Query().Get("continue"))
		all, next := s.objects[resource], ""
		end := len(all)
		if limit > 0 && from+limit < len(all) {
			end = from + limit
			next = strconv.Itoa(end)
		}
		items := []any{}
		for _, object := range all[from:end] {
			items = append(items, object.Object)
		}
		answer = map[string]any{"apiVersion": "v1", "kind": "List", "metadata": map[string]any{"continue": next}, "items": items}
	}
	data, err := json.Marshal(answer)
	return &http.Response{
		StatusCode: code, Status: http.StatusText(code), Request: r, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewReader(data)), ContentLength: int64(len(data)),
	}, err
}

var ofDefault = ClientsQuery{
	Namespace: "default",
	Template:  TemplateSource{Namespace: DefaultTemplateNamespace, ConfigMap: DefaultTemplateConfigMap, Key: DefaultTemplateKey},
}

// An overview costs as many requests for 120 clients as for 30, and pages of lists beyond that.
func TestFleetClients_requests(t *testing.T) {
	const lists = 5 // of Services, Ingresses, StatefulSets, pods and claims
	for _, test := range []struct{ clients, want int }{{30, 1 + lists}, {120, 1 + lists}, {501, 1 + 2*lists}} {
		server := newListServer(t, test.clients)
		overview, err := server.fleet(t).Clients(t.Context(), ofDefault)
		if err != nil {
			t.Fatal(err)
		}
		if len(server.log) != test.want {
			t.Errorf("%d clients: %d requests, want %d: %v", test.clients, len(server.log), test.want, server.log)
		}
		if len(overview.Clients) != test.clients || len(overview.Warnings) > 0 || len(overview.OrphanedClaims) > 0 {
			t.Errorf("%d clients: found %d, orphaned claims %v, warnings %v", test.clients, len(overview.Clients), overview.OrphanedClaims,
				overview.Warnings)
		}
		for _, client := range overview.Clients {
			if isUpToDate(client) != "yes" || len(client.Claims) != 1 || !client.Claims[0].InUse || client.AdminEmail == "" {
				t.Fatalf("%d clients: %+v", test.clients, client)
			}
		}
	}
}

// Where pods are missing, one further request tells why, however many are.
func TestFleetClients_refusedPods(t *testing.T) {
	server := newListServer(t, 3)
	server.objects["pods"] = nil
	for _, set := range server.objects["statefulsets"][:2] {
		_ = unstructured.SetNestedMap(set.Object, map[string]any{
			"currentRevision": "a", "updateRevision": "a", "observedGeneration": set.GetGeneration(),
		}, "status")
		server.objects["events"] = append(server.objects["events"], bare(t, "v1", "Event", set.GetName()+".1", fmt.Sprintf(
			`, "reason": "FailedCreate", "message": "create Pod %s-0 failed error: exceeded quota", "involvedObject": {"uid": %q}`,
			set.GetName(), set.GetUID())))
	}
	overview, err := server.fleet(t).Clients(t.Context(), ofDefault)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"failing", "failing", "progressing"} {
		is := overview.Clients[i].Rollout
		if is.State != want || want == "failing" != strings.Contains(is.Reason, "-0: FailedCreate: create Pod") {
			t.Errorf("client %d is %+v, want %s", i, is, want)
		}
	}
	if asked := strings.Count(strings.Join(server.log, " "), "events"); asked != 1 {
		t.Errorf("%d requests for events, want 1", asked)
	}
	server.refused["events"] = true
	overview, err = server.fleet(t).Clients(t.Context(), ofDefault)
	if err != nil || len(overview.Warnings) != 1 || overview.Clients[0].Rollout.State != "progressing" {
		t.Errorf("without the right to list events: %v, %+v", err, overview)
	}
}

// Without a right, or without a template, an overview says what it can see.
func TestFleetClients_rights(t *testing.T) {
	for _, test := range []struct {
		name    string
		refused string
		without bool // there is no template
		check   func(*Overview) bool
		warning string
	}{
		{
			name: "claims", refused: "persistentvolumeclaims", warning: "mira.UnlistedWarning",
			check: func(o *Overview) bool {
				return o.OrphanedClaims == nil && o.Clients[0].Claims == nil && isUpToDate(o.Clients[0]) == "yes"
			},
		},
		{
			name: "pods", refused: "pods", warning: "mira.UnlistedWarning",
			check: func(o *Overview) bool { return o.Clients[0].Claims[0].InUse && isUpToDate(o.Clients[0]) == "yes" },
		},
		{
			name: "Services", refused: "services", warning: "mira.UnlistedWarning",
			check: func(o *Overview) bool { return len(o.Clients[0].Missing) == 0 && isUpToDate(o.Clients[0]) == "unknown" },
		},
		{
			name: "the template", refused: "configmaps", warning: "mira.NoTemplateWarning",
			check: func(o *Overview) bool {
				return o.Revision == "" && isUpToDate(o.Clients[0]) == "unknown" && o.Clients[0].Missing == nil && o.Clients[0].URL != ""
			},
		},
		{
			name: "no template", without: true, warning: "mira.NoTemplateWarning",
			check: func(o *Overview) bool { return isUpToDate(o.Clients[0]) == "unknown" && o.Clients[0].Claims[0].InUse },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := newListServer(t, 2)
			server.refused[test.refused] = true
			if test.without {
				server.template = ""
			}
			overview, err := server.fleet(t).Clients(t.Context(), ofDefault)
			if err != nil {
				t.Fatal(err)
			}
			var warnings []string
			for _, warning := range overview.Warnings {
				warnings = append(warnings, fmt.Sprintf("%T", warning))
			}
			if diff := cmp.Diff([]string{test.warning}, warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			if len(overview.Clients) != 2 || !test.check(overview) {
				t.Errorf("the overview is %+v", overview)
			}
		})
	}
	server := newListServer(t, 2)
	server.refused["statefulsets"] = true
	_, err := server.fleet(t).Clients(t.Context(), ofDefault)
	if _, ok := errors.AsType[*kube.ForbiddenError](err); !ok {
		t.Errorf("without the right to list StatefulSets: %v, want a ForbiddenError", err)
	}
}

// A template that gives nothing for the clients is told once.
func TestFleetClients_notCompared(t *testing.T) {
	server := newListServer(t, 3)
	server.template += "---\napiVersion: v1\nkind: Secret\nmetadata: {name: \"mira-%CLIENT_NAME%\"}\n"
	overview, err := server.fleet(t).Clients(t.Context(), ofDefault)
	if err != nil {
		t.Fatal(err)
	}
	if len(overview.Warnings) != 1 || overview.Clients[0].Missing != nil || isUpToDate(overview.Clients[0]) != "unknown" {
		t.Fatalf("warnings %v, %+v", overview.Warnings, overview.Clients[0])
	}
	warning, ok := overview.Warnings[0].(NotComparedWarning)
	if diff := cmp.Diff([]string{"c0000", "c0001", "c0002"}, warning.Clients); !ok || diff != "" {
		t.Errorf("%T (-want +got):\n%s", overview.Warnings[0], diff)
	}
}

func TestFleetClient(t *testing.T) {
	server := newListServer(t, 3)
	fleet := server.fleet(t)
	client, warnings, err := fleet.Client(t.Context(), ofDefault, "c0001")
	if err != nil || len(warnings) > 0 || client.Name != "c0001" {
		t.Errorf("%+v, %v, %v", client, warnings, err)
	}
	_, _, err = fleet.Client(t.Context(), ofDefault, "gone")
	var missing *NoSuchClientError
	if !errors.As(err, &missing) || len(missing.Missing) != 3 || missing.Missing[0].Name != "mira-gone" {
		t.Errorf("error %v, want a NoSuchClientError with three objects", err)
	}
	server.template = ""
	_, _, err = server.fleet(t).Client(t.Context(), ofDefault, "gone")
	if !errors.As(err, &missing) || err.Error() != `namespace "default" holds no object of client "gone"` {
		t.Errorf("error %v, want a NoSuchClientError without objects", err)
	}
}

// The client's own secrets show nowhere.
func TestFleetClients_secrets(t *testing.T) {
	const secret = "s3cr3t-value"
	server := newListServer(t, 1)
	server.template = acctest.Edit(t, server.template, "image: mira:3.0", "image: registry/%TOKEN%/mira:3.0",
		"host: %CLIENT_NAME%", "host: %TOKEN%.%CLIENT_NAME%")
	for _, resource := range []string{"statefulsets", "ingresses"} {
		o := server.objects[resource][0]
		o.SetAnnotations(map[string]string{secretsAnnotation: "TOKEN"})
		data, err := o.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		replacer := strings.NewReplacer(`"mira:3.0"`, `"registry/`+secret+`/mira:3.0"`, `"host":"c0000`, `"host":"`+secret+`.c0000`)
		server.objects[resource][0] = object(t, replacer.Replace(string(data)))
	}
	for _, template := range []string{server.template, ""} {
		server.template = template
		overview, err := server.fleet(t).Clients(t.Context(), ofDefault)
		if err != nil {
			t.Fatal(err)
		}
		client := overview.Clients[0]
		if text := fmt.Sprintf("%+v", overview); strings.Contains(text, secret) {
			t.Errorf("the overview has the secret: %s", text)
		}
		if !managedfields.IsHash(client.URL) || !managedfields.IsHash(client.Images["mira"]) || client.Variables["TOKEN"] != "" {
			t.Errorf("url %s, images %v, variables %v", client.URL, client.Images, client.Variables)
		}
	}
}
