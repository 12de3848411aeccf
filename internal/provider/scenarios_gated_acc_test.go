package provider

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// health is a server that plays the addresses of the canaries, and Prometheus.
type health struct {
	status  atomic.Int64 // of a canary; 0 for 503 at first and 200 from then on
	alerts  atomic.Bool  // whether Prometheus has a result
	asked   atomic.Int64 // how often a canary was
	atTime  atomic.Value // a func() that is called when a canary is asked
	queries atomic.Value
}

func (h *health) whenAsked(do func()) { h.atTime.Store(do) }

func (h *health) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/acme/healthz":
		h.atTime.Load().(func())()
		status := int(h.status.Load())
		if status == 0 {
			status = http.StatusOK
			if h.asked.Load() == 0 {
				status = http.StatusServiceUnavailable
			}
		}
		h.asked.Add(1)
		w.WriteHeader(status)
	case "/api/v1/query":
		h.queries.Store(r.URL.Query().Get("query"))
		result := ""
		if h.alerts.Load() {
			result = `{"metric":{"client":"acme"},"value":[1,"1"]}`
		}
		_, _ = fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[%s]}}`, result)
	default:
		http.NotFound(w, r)
	}
}

// A release reaches the canary, the canary is asked, and the fleet follows only if it is
// well. Out of a release that is not, the former template leads, for the canary, too.
func TestAccScenario_gatedRelease(t *testing.T) {
	t.Parallel()
	acctest.BuildHTTPProvider(t)
	s := acctest.NewSandbox(t)
	template := func(version string) string {
		return acctest.Edit(t, acctest.SampleTemplate(t), "mira:3.0", "mira:"+version)
	}
	image := func(client string) string {
		name := "mira-" + client
		if !s.Exists(t, "StatefulSet", name) {
			return ""
		}
		containers, _, _ := unstructured.NestedSlice(s.Get(t, "StatefulSet", name).Object, "spec", "template", "spec", "containers")
		return containers[0].(map[string]any)["image"].(string)
	}
	var atTime atomic.Value // the images of canary and fleet when a canary was asked
	h := &health{}
	h.whenAsked(func() { atTime.Store(image("acme") + " " + image("globex")) })
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	want := func(when, canary, fleet string) {
		t.Helper()
		for client, want := range map[string]string{"acme": canary, "globex": fleet, "initech": fleet} {
			if got := image(client); got != want {
				t.Errorf("%s, client %s runs %q, not %q", when, client, got, want)
			}
		}
	}

	s.PutTemplate(t, template("3.0"))
	c := scenario(t, s, "gated-release")
	main := acctest.Edit(t, readExample(t, "scenarios", "gated-release", "main.tf"), `soak = "1m"`, `soak = "0s"`, "= 5000", "= 10")
	writeFile(t, main, c.Directory(), "main.tf")
	writeFile(t, fmt.Sprintf("health_url = \"%s/{name}/healthz\"\n", server.URL), c.Directory(), "health.auto.tfvars")

	c.Apply(t) // the canary answers 503 once
	want("after the first apply", "mira:3.0", "mira:3.0")
	if asked := atTime.Load(); h.asked.Load() < 2 || !strings.HasPrefix(asked.(string), "mira:3.0") {
		t.Errorf("the canary was asked %d times, at %q", h.asked.Load(), asked)
	}

	h.status.Store(http.StatusTeapot)
	s.PutTemplate(t, template("3.1"))
	acctest.WantOutput(t, c.Fail(t, "apply", "-auto-approve"), "Canary acme is not well", "answers 418", "The fleet stays as it is.")
	want("with a canary that is not well", "mira:3.1", "mira:3.0")
	if asked := atTime.Load(); asked != "mira:3.1 mira:3.0" {
		t.Errorf("the canary was asked when canary and fleet ran %q", asked)
	}
	acctest.WantOutput(t, c.Fail(t, "plan"), "Canary acme is not well")
	h.status.Store(http.StatusOK)
	h.alerts.Store(true)
	c.Setenv("TF_VAR_prometheus", fmt.Sprintf(`{"url": %q, "query": "rate(errors{client=\"acme\"}[5m]) > 1"}`, server.URL))
	acctest.WantOutput(t, c.Fail(t, "apply", "-auto-approve"), "Prometheus says that the canaries are not well")
	if query := h.queries.Load(); query != `rate(errors{client="acme"}[5m]) > 1` {
		t.Errorf("Prometheus was asked %q", query)
	}
	want("with an alert", "mira:3.1", "mira:3.0")
	h.alerts.Store(false)
	acctest.WantOutput(t, c.Apply(t), "0 added, 2 changed")
	want("with a canary that is well", "mira:3.1", "mira:3.1")

	h.status.Store(http.StatusNotFound)
	s.PutTemplate(t, template("3.2"))
	acctest.WantOutput(t, c.Fail(t, "apply", "-auto-approve"), "answers 404")
	s.PutTemplate(t, template("3.1"))
	h.whenAsked(func() { // as soon as it runs the former version, it is well
		if image("acme") == "mira:3.1" {
			h.status.Store(http.StatusOK)
		}
	})
	acctest.WantOutput(t, c.Apply(t), "0 added, 1 changed")
	want("after the way back", "mira:3.1", "mira:3.1")
	h.status.Store(http.StatusNotFound)
	h.whenAsked(func() {})
	c.Run(t, "destroy", "-auto-approve", "-var", "gate=false")
}
